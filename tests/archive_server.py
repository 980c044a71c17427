"""A server that plays the Hugging Face Hub and Zenodo, as far as a dataset is published there and fetched.

The endpoints of the Hub are those that huggingface_hub 2.4 calls, those of Zenodo are of developers.zenodo.org.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from fetch_server import Handler, Server, running

TOKEN = "hf_TheSecretOfThisTest"


@dataclass
class Repo:
    """Commits of a dataset, each from path to (bytes, whether they are in the store of large files).

    names  of branches and tags, each with its commit
    """

    commits: dict = field(default_factory=dict)
    head: str | None = None
    names: dict = field(default_factory=dict)

    def commit(self, revision):
        return self.head if revision == "main" else self.names.get(revision, revision)

    def files(self, revision):
        revision = self.commit(revision)
        return {} if revision is None else self.commits.get(revision)


class ArchiveHandler(Handler):
    """Dispatches by method and path; `failures` answer first."""

    def dispatch(self):
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.name, self.query = path, parse_qs(parts.query)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.body(length)
        server = self.server
        authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        server.calls.append((self.command, path, self.headers.get("Authorization")))
        if body is None:
            self.close_connection = True
            return None
        for (method, pattern), failure in list(server.failures.items()):
            if method == self.command and re.search(pattern, path) and failure["times"]:
                failure["times"] -= 1
                if failure["status"] is None:
                    self.close_connection = True
                    return None
                # Some servers repeat what they were sent.
                said = {"message": f"refused {self.headers.get('Authorization')}", "error": "refused"}
                return self.json(said, failure["status"])
        if self.command != "GET" and not path.startswith("/lfs/") and not authorised:
            return self.json({"error": "Unauthorized"}, 401)
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                with server.lock:
                    return answer(self, body, *found.groups())
        return self.json({"error": "Not Found"}, 404)

    def do_GET(self):  # noqa: N802
        self.dispatch()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def body(self, length):
        """What was sent; None where the server hangs up in the middle of it."""
        after = self.server.hang_up.pop(self.command, None)
        if after is not None and length > after:
            self.rfile.read(after)
            return None
        if length:
            return self.rfile.read(length)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            read = b""
            while size := int(self.rfile.readline(), 16):
                read += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return read
        return b""

    def json(self, value, status=200):
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


# The Hub


def create_repo(handler, body):
    asked = json.loads(body)
    name = f"{asked['organization']}/{asked['name']}"
    assert asked["type"] == "dataset"
    exists = name in handler.server.repos
    handler.server.repos.setdefault(name, Repo())
    handler.json({"url": f"{handler.server.root}/datasets/{name}"}, 409 if exists else 200)


def repo_info(handler, body, name, _, revision):
    repo = handler.server.repos.get(name)
    files = repo and repo.files(revision or "main")
    if not files:
        return handler.json({"error": "Repository not found"}, 404)
    sha = repo.commit(revision or "main")
    return handler.json({"id": name, "sha": sha, "siblings": [], "tags": [], "private": False})


def tree(handler, body, name, revision):
    files = handler.server.repos[name].files(revision) or {}
    entries = []
    for path, (content, large) in files.items():
        digest = hashlib.sha256(content).hexdigest()
        entry = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content, large)}
        if large:
            entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
        entries.append(entry)
    handler.json(entries)


def git_oid(content, large):
    """What huggingface_hub compares: Git's own SHA-1 of small files, the SHA-256 of large ones."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def preupload(handler, body, name):
    files = handler.server.repos[name].files("main") or {}
    answers = []
    for asked in json.loads(body)["files"]:
        mode = "lfs" if asked["path"].endswith(".h5") else "regular"
        found = files.get(asked["path"])
        oid = {"oid": git_oid(*found)} if found else {}
        answers.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, **oid})
    handler.json({"files": answers})


def lfs_batch(handler, body, name):
    objects = []
    for asked in json.loads(body)["objects"]:
        entry = {"oid": asked["oid"], "size": asked["size"]}
        if asked["oid"] not in handler.server.store:
            href = f"{handler.server.root}/lfs/{asked['oid']}"
            entry["actions"] = {
                "upload": {"href": href},
                "verify": {"href": f"{handler.server.root}/lfs/verify"},
            }
        objects.append(entry)
    handler.json({"transfer": "basic", "objects": objects})


def lfs_upload(handler, body, oid):
    if hashlib.sha256(body).hexdigest() != oid:
        return handler.json({"error": "checksum"}, 400)
    handler.server.uploads[oid] += 1
    handler.server.store[oid] = body
    return handler.json({})


def lfs_verify(handler, body):
    handler.json({}, 200 if json.loads(body)["oid"] in handler.server.store else 404)


def validate_yaml(handler, body):
    handler.json({"errors": [], "warnings": []})


def commit(handler, body, name):
    repo = handler.server.repos[name]
    files = dict(repo.files("main") or {})
    for line in body.splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "file":
            files[value["path"]] = (base64.b64decode(value["content"]), False)
        elif item["key"] == "lfsFile":
            files[value["path"]] = (handler.server.store[value["oid"]], True)
        elif item["key"] == "deletedFile":
            del files[value["path"]]
    repo.head = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
    repo.commits[repo.head] = files
    handler.json(
        {
            "success": True,
            "commitOid": repo.head,
            "commitUrl": f"{handler.server.root}/datasets/{name}/commit/{repo.head}",
        }
    )


def resolve(handler, body, name, revision, path):
    repo = handler.server.repos.get(name)
    found = ((repo and repo.files(revision)) or {}).get(path)
    if found is None:
        return handler.json({"error": "Entry not found"}, 404)
    content, large = found
    if not large:
        return handler.serve(content)
    # Another host, as of a content delivery network.
    place = f"http://localhost:{handler.server.server_address[1]}/cdn/{hashlib.sha256(content).hexdigest()}"
    return handler.answer(302, b"", {"Location": f"{place}?signature=x"})


def cdn(handler, body, oid):
    handler.serve(handler.server.store.get(oid))


# Zenodo


def deposit_of(server, number, *, public=False):
    found = server.deposits.get(int(number))
    return found if found and found["submitted"] >= public else None


def shown(server, deposit):
    files = [
        {"filename": name, "filesize": len(content), "checksum": hashlib.md5(content).hexdigest()}
        for name, content in deposit["contents"].items()
    ]
    number = deposit["id"]
    return {
        "id": number,
        "submitted": deposit["submitted"],
        **({"doi": f"10.5281/zenodo.{number}", "state": "done"} if deposit["submitted"] else {}),
        "metadata": {
            **deposit["metadata"],
            "prereserve_doi": {"doi": f"10.5281/zenodo.{number}", "recid": number},
        },
        "files": files,
        "links": {"bucket": server.bucket or f"{server.root}/api/files/bucket-{number}"},
    }


def list_deposits(handler, body):
    submitted = handler.query["status"][0] == "published"
    drafts = [each for each in handler.server.deposits.values() if each["submitted"] == submitted]
    size, page = (int(handler.query[key][0]) for key in ("size", "page"))
    handler.json([shown(handler.server, each) for each in drafts[(page - 1) * size : page * size]])


def create_deposit(handler, body):
    number = 1000 + len(handler.server.deposits)
    metadata = json.loads(body)["metadata"]
    made = {"id": number, "submitted": False, "metadata": metadata, "contents": {}}
    handler.server.deposits[number] = made
    handler.json(shown(handler.server, made), 201)


def get_deposit(handler, body, number):
    handler.json(shown(handler.server, deposit_of(handler.server, number)))


def put_metadata(handler, body, number):
    deposit = deposit_of(handler.server, number)
    deposit["metadata"] = json.loads(body)["metadata"]
    lacking = {"title", "upload_type", "description", "creators", "license"} - deposit["metadata"].keys()
    handler.json(
        {"lacking": sorted(lacking)} if lacking else shown(handler.server, deposit), 400 if lacking else 200
    )


def put_file(handler, body, number, name):
    handler.server.uploads[name] += 1
    deposit_of(handler.server, number)["contents"][name] = body
    handler.json({"key": name, "size": len(body), "checksum": f"md5:{hashlib.md5(body).hexdigest()}"}, 201)


def delete_file(handler, body, number, name):
    del deposit_of(handler.server, number)["contents"][name]
    handler.answer(204, b"")


def make_public(handler, body, number):
    deposit = deposit_of(handler.server, number)
    deposit["submitted"] = True
    handler.json(shown(handler.server, deposit), 202)


def record(handler, body, number):
    """The number below that of the first version leads to the latest, as the DOI of all versions does."""
    deposit = deposit_of(handler.server, max(1000, int(number)), public=True)
    if deposit is None:
        return handler.json({"status": 404, "message": "The persistent identifier does not exist."}, 404)
    return handler.json({"id": deposit["id"], "doi": f"10.5281/zenodo.{deposit['id']}"})


def record_file(handler, body, number, name):
    deposit = deposit_of(handler.server, number, public=True)
    handler.serve(deposit and deposit["contents"].get(name))


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = [
    ("POST", "/api/repos/create", create_repo),
    ("GET", rf"/api/datasets/{NAME}(/revision/(.+))?", repo_info),
    ("GET", rf"/api/datasets/{NAME}/tree/([^/]+)/?", tree),
    ("POST", rf"/api/datasets/{NAME}/preupload/main", preupload),
    ("POST", rf"/datasets/{NAME}\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", r"/lfs/(\w{64})", lfs_upload),
    ("POST", r"/lfs/verify", lfs_verify),
    ("POST", r"/api/validate-yaml", validate_yaml),
    ("POST", rf"/api/datasets/{NAME}/commit/main", commit),
    ("GET", rf"/datasets/{NAME}/resolve/([^/]+)/(.+)", resolve),
    ("GET", r"/cdn/(\w{64})", cdn),
    ("GET", r"/api/deposit/depositions", list_deposits),
    ("POST", r"/api/deposit/depositions", create_deposit),
    ("GET", r"/api/deposit/depositions/(\d+)", get_deposit),
    ("PUT", r"/api/deposit/depositions/(\d+)", put_metadata),
    ("POST", r"/api/deposit/depositions/(\d+)/actions/publish", make_public),
    ("PUT", r"/api/files/bucket-(\d+)/(.+)", put_file),
    ("DELETE", r"/api/files/bucket-(\d+)/(.+)", delete_file),
    ("GET", r"/api/records/(\d+)", record),
    ("GET", r"/api/records/(\d+)/files/(.+)/content", record_file),
]


class ArchiveServer(Server):
    """Fails where it is told to, by `fail`; `hang_up[method]`: once, after so many bytes of what is sent.

    store, uploads  bytes of large files by SHA-256, and how often each file came
    calls           method, path and Authorization of each request
    """

    def __init__(self, folder):
        super().__init__(folder)
        self.RequestHandlerClass = ArchiveHandler
        self.root = f"http://{self.host}"
        self.repos, self.store, self.deposits = {}, {}, {}
        self.failures, self.hang_up, self.calls, self.uploads = {}, {}, [], Counter()
        self.bucket = None
        self.lock = threading.Lock()

    def fail(self, method, pattern, status, times=100):
        """Answer with this status, None breaks off, where a pattern is in the path."""
        self.failures[method, pattern] = {"status": status, "times": times}


def archives(folder):
    """Hub and Zenodo over a folder, as `running` has them."""
    return running(folder, ArchiveServer)
