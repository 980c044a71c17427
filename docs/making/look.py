"""Look at the built site in headless Chromium, at the widths of a phone, a tablet and a desktop.

    python docs/making/look.py [PAGE ...]

Each page is loaded in a frame of each width, and measured: what is wider than the page, pictures that are missing or
are shown larger than they are, formulas that are not shown. Pictures of the pages go to artifacts/docs/look. Needs
chromium on the path (on Debian, `apt-get install chromium`).
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SITE, OUT = ROOT / "artifacts/docs/site", ROOT / "artifacts/docs/look"
WIDTHS = (360, 800, 1400)
# Of a picture; a longer page is cut there.
HEIGHT = 4000
HARNESS = "_look.html"
# Runs in a page of the same origin as the site, one frame after the other.
MEASURE = """<!doctype html><body><script>
const pages = PAGES, widths = WIDTHS, found = [];
const within = (element) => {
  for (let e = element.parentElement; e; e = e.parentElement)
    if (["auto", "scroll", "hidden"].includes(e.ownerDocument.defaultView.getComputedStyle(e).overflowX)
        && e.tagName !== "BODY" && e.tagName !== "HTML") return true;
  return false;
};
const look = (page, width) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900;
  frame.onload = async () => {
    const inside = frame.contentDocument, say = (text) => found.push(`${page} at ${width}: ${text}`);
    const images = [...inside.querySelectorAll("img")];
    images.forEach((image) => { image.loading = "eager"; });
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    await new Promise((later) => setTimeout(later, 300));
    const wide = inside.documentElement.scrollWidth;
    if (wide > width) say(`is ${wide} wide`);
    for (const element of inside.querySelectorAll("article *")) {
      const box = element.getBoundingClientRect();
      if (box.width && box.right > width + 1 && !within(element)) say(`<${element.tagName}> ends at ${box.right}`);
    }
    for (const image of images) {
      if (!image.naturalWidth) say(`${image.src} is missing`);
      else if (image.getBoundingClientRect().width > image.naturalWidth + 1) say(`${image.src} is blurred`);
    }
    for (const formula of inside.querySelectorAll("math")) {
      const box = formula.getBoundingClientRect();
      if (!box.width || !box.height || formula.querySelector("merror")) say("a formula is not shown");
    }
    if (inside.querySelector(".arithmatex")) say("a formula is left as LaTeX");
    if (!inside.querySelector("h1")) say("has no heading");
    frame.remove(); done();
  };
  frame.src = "/" + page;
  document.body.append(frame);
});
(async () => {
  for (const page of pages) for (const width of widths) await look(page, width);
  document.body.innerHTML = "<pre id=found></pre>";
  document.querySelector("pre").textContent = JSON.stringify(found);
})();
</script></body>"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith(f"/{HARNESS}"):
            body = self.server.harness.encode()  # pyright: ignore[reportAttributeAccessIssue]
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()


def main() -> None:
    """Measure all pages, or those named, and end with 1 if anything is wrong; take pictures of those named."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is not on the path; on Debian, apt-get install chromium")
    named = sys.argv[1:]
    pages = named or sorted(
        str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if path.name != "404.html"
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as profile:
        run = partial(_chromium, program, profile)
        server.harness = MEASURE.replace("PAGES", json.dumps(pages), 1).replace(
            "WIDTHS", json.dumps(WIDTHS), 1
        )  # pyright: ignore[reportAttributeAccessIssue]
        shown = run("--dump-dom", "--virtual-time-budget=100000000", f"{base}/{HARNESS}")
        result = re.search(r'<pre id="found">(.*?)</pre>', shown, flags=re.DOTALL)
        found = json.loads(_unescaped(result[1])) if result else ["Chromium did not come to the end"]
        OUT.mkdir(parents=True, exist_ok=True)
        for page in named or ["index.html"]:
            for width in WIDTHS:
                server.harness = (  # pyright: ignore[reportAttributeAccessIssue]
                    f'<!doctype html><body style="margin:0"><iframe src="/{page}" width={width} height={HEIGHT} '
                    'style="border:0"></iframe></body>'
                )
                picture = OUT / f"{page.removesuffix('.html').replace('/', '-')}-{width}.png"
                size = f"--window-size={max(width, 500)},{HEIGHT}"
                run(size, f"--screenshot={picture}", "--virtual-time-budget=20000", f"{base}/{HARNESS}")
    server.shutdown()
    print(
        "\n".join(found)
        if found
        else f"{len(pages)} pages at {', '.join(map(str, WIDTHS))} pixels: nothing wrong"
    )
    sys.exit(1 if found else 0)


def _chromium(program: str, profile: str, *arguments: str) -> str:
    command = [
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


if __name__ == "__main__":
    main()
