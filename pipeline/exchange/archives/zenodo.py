"""Zenodo by its REST API (developers.zenodo.org): records by their DOI, and deposits, which become records."""

import hashlib
import json
import os
import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from ....data.base.errors import TrajstoreError
from ....data.remote.address import NotThereError, plain
from ....data.remote.places import Place
from .parcel import Parcel, Published

SITE = "https://zenodo.org"
TOKEN = "ZENODO_TOKEN"
WANTS_TOKEN = (
    f"Zenodo wants a token; make one with the scopes deposit:write and deposit:actions, and set {TOKEN}"
)
DOI = re.compile(r"doi:(10\.\d{4,9}/zenodo\.(\d{1,18}))", re.IGNORECASE)
# What follows the site in the address of a record's page.
RECORD = re.compile(r"/records?/(\d{1,18})(?:/.*)?")
# Seconds until a connection stands, and between two pieces of an answer; bytes of an answer; deposits a page.
TIMEOUT = (10.0, 120.0)
LARGEST_ANSWER = 16 << 20
PAGE = 100
# What Zenodo takes of files in a record.
MOST_FILES = 100
KEYWORD = "trajstore:{}"


def as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request its token: without any `auth`, requests puts a password of ~/.netrc in the place of it."""
    return request


class Zenodo:
    """The API at ZENODO_URL, with the token that ZENODO_TOKEN has, if any.

    Raises TrajstoreError if one of them cannot be.
    """

    def __init__(self) -> None:
        self.site = (os.environ.get("ZENODO_URL") or SITE).rstrip("/")
        if urlsplit(self.site).scheme not in ("http", "https"):
            raise TrajstoreError("ZENODO_URL: expected an address such as https://sandbox.zenodo.org")
        token = os.environ.get(TOKEN, "").strip()
        # The library would quote it in its message.
        if not re.fullmatch(r"[\x21-\x7e]*", token):
            raise TrajstoreError(f"{TOKEN}: holds signs that no token has; copy it again from Zenodo")
        self.has_token = bool(token)
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
            self._session.auth = as_it_is

    def call(self, method: str, place: str, **more: Any) -> Any:
        """The JSON that an endpoint answers with. Raises TrajstoreError, NotThereError where it is not there."""
        url = place if place.startswith(f"{self.site}/") else f"{self.site}/api/{place}"
        shown = plain(urlsplit(url).path)
        try:
            with self._session.request(
                method, url, timeout=TIMEOUT, allow_redirects=method == "GET", stream=True, **more
            ) as answer:
                content = answer.raw.read(LARGEST_ANSWER + 1, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise TrajstoreError(
                f"{self.site}: the connection failed ({type(error).__name__}); the same command goes on from here"
            ) from None
        except Exception as error:
            # Of urllib3, below requests, whose texts name addresses.
            raise TrajstoreError(
                f"{self.site}: the connection broke off ({type(error).__name__}); the same command goes on from here"
            ) from None
        if not 200 <= status < 300:
            raise _refusal(f"{self.site}{shown}", status, reading=place.startswith("records/"))
        try:
            return json.loads(content) if content else {}
        except ValueError:
            raise TrajstoreError(f"{self.site}{shown}: no JSON came; is ZENODO_URL right?") from None


def _refusal(where: str, status: int, *, reading: bool = False) -> TrajstoreError:
    if status in (404, 410):
        return NotThereError(f"{where}: Zenodo has no such record (status {status}); check the DOI")
    if reading and status in (401, 403):
        return TrajstoreError(
            f"{where}: not all may read this record (status {status}); ask who shares it for its files"
        )
    why = {
        400: "Zenodo does not accept what was sent; are title, creator and license such as it knows?",
        401: WANTS_TOKEN,
        403: f"Zenodo refuses; the token in {TOKEN} needs the scopes deposit:write and deposit:actions",
        413: "Zenodo finds it too large; it takes 50 GB a record unless asked for more",
        429: "Zenodo has had too many requests; wait a minute",
    }.get(status, "Zenodo fails; try again later")
    return TrajstoreError(f"{where}: {why} (status {status}). The same command goes on from here.")


def doi_of_page(url: str) -> str:
    """`doi:10.5281/zenodo.N` of a record's page, or of its DOI as a link; any other address as it is."""
    path = url.partition("?")[0].partition("#")[0]
    doi = re.fullmatch(
        rf"https?://(?:dx\.)?doi\.org/{DOI.pattern.removeprefix('doi:')}/?", path, re.IGNORECASE
    )
    if doi is not None:
        return f"doi:{doi.group(1)}"
    for site in (SITE, (os.environ.get("ZENODO_URL") or SITE).rstrip("/")):
        record = RECORD.fullmatch(path.removeprefix(site))
        if record is not None and path != record.group():
            return f"doi:10.5281/zenodo.{record.group(1)}"
    return url


def record_place(doi: str) -> Place:
    """Where the files of a record lie; the DOI of all versions leads to the latest.

    Raises TrajstoreError if it is no DOI of Zenodo's, NotThereError if there is no such record.
    """
    found = DOI.fullmatch(doi)
    if found is None:
        raise TrajstoreError(f"{plain(doi)}: no DOI of Zenodo's; expected doi:10.5281/zenodo.NUMBER")
    zenodo = Zenodo()
    record = zenodo.call("GET", f"records/{found.group(2)}")
    number = record.get("id") if isinstance(record, dict) else None
    if not re.fullmatch(r"\d{1,18}", str(number)):
        raise TrajstoreError(f"{zenodo.site}: the record has no number; is ZENODO_URL right?")
    return Place(f"{zenodo.site}/api/records/{number}/files", suffix="/content")


def publish_on_zenodo(parcel: Parcel, target: str) -> Published:
    """Send the files to a deposit, go on with one that was begun, and make it a record with a DOI.

    Raises TrajstoreError if Zenodo refuses, or lacks what it needs to know.
    """
    if target.lower() not in ("zenodo:", "zenodo://"):
        raise TrajstoreError(f"{plain(target)}: Zenodo gives the number itself; expected zenodo:")
    if len(parcel.files) > MOST_FILES:
        raise TrajstoreError(
            f"{parcel.folder}: has {len(parcel.files)} files, Zenodo takes {MOST_FILES} a record; generate it with "
            "larger shards (dataset.shard_rows), or publish it on hf://"
        )
    for key in ("license", "creator"):
        if not getattr(parcel, key):
            raise TrajstoreError(
                f"{parcel.folder}: names no {key}, which Zenodo needs; say --{key}, or dataset.{key} in the config"
            )
    zenodo = Zenodo()
    if not zenodo.has_token:
        raise TrajstoreError(f"{zenodo.site}: {WANTS_TOKEN}")
    metadata = _metadata(parcel)
    keyword = metadata["keywords"][-1]
    if record := _deposit(zenodo, keyword, submitted=True):
        return _published(zenodo, parcel, record, sent=0)
    deposit = _deposit(zenodo, keyword, submitted=False) or zenodo.call(
        "POST", "deposit/depositions", json={"metadata": metadata}
    )
    number = int(deposit["id"])
    sent = _send(zenodo, parcel, deposit)
    zenodo.call("PUT", f"deposit/depositions/{number}", json={"metadata": metadata})
    page = f"{zenodo.site}/deposit/{number}"
    if parcel.draft:
        reserved = (deposit.get("metadata") or {}).get("prereserve_doi") or {}
        cite = f"doi:{plain(str(reserved['doi']))}" if reserved.get("doi") else page
        return Published(cite, page, len(parcel.files), sent, parcel.manifest)
    done = zenodo.call("POST", f"deposit/depositions/{number}/actions/publish")
    return _published(zenodo, parcel, done, sent)


def _published(zenodo: Zenodo, parcel: Parcel, record: dict[str, Any], sent: int) -> Published:
    page = f"{zenodo.site}/records/{int(record['id'])}"
    if not DOI.fullmatch(f"doi:{record.get('doi')}"):
        raise TrajstoreError(f"{zenodo.site}: published, but without a DOI; see {page}")
    return Published(f"doi:{record['doi']}", page, len(parcel.files), sent, parcel.manifest)


def _metadata(parcel: Parcel) -> dict[str, Any]:
    dataset, system = parcel.manifest.config["dataset"], parcel.manifest.config["system"]
    title = str(dataset.get("title") or f"Trajectories of {system['name']}")
    rows = ", ".join(f"{split.trajectories} {name}" for name, split in parcel.manifest.splits.items())
    return {
        "title": title,
        "upload_type": "dataset",
        "description": f"<p>{escape(title)}: {escape(rows)} trajectories. README.md describes them. "
        f"Dataset {parcel.manifest.id}, made with trajstore.</p>",
        "creators": [{"name": parcel.creator}],
        "license": parcel.license.lower(),
        "access_right": "open",
        "keywords": ["trajectories", "dynamical systems", KEYWORD.format(parcel.manifest.id)],
    }


def _deposit(zenodo: Zenodo, keyword: str, *, submitted: bool) -> dict[str, Any] | None:
    """The record of this dataset, or the deposit that an earlier run left unfinished; None if there is none."""
    status = "published" if submitted else "draft"
    page = 1
    while True:
        found = zenodo.call(
            "GET", "deposit/depositions", params={"status": status, "size": PAGE, "page": page}
        )
        for deposit in found if isinstance(found, list) else ():
            words = (deposit.get("metadata") or {}).get("keywords") or []
            if keyword in words and bool(deposit.get("submitted")) == submitted:
                return zenodo.call("GET", f"deposit/depositions/{int(deposit['id'])}")
        if not isinstance(found, list) or len(found) < PAGE:
            return None
        page += 1


def _send(zenodo: Zenodo, parcel: Parcel, deposit: dict[str, Any]) -> int:
    """Send the files that are not there as they are; how many. A record holds nothing but the dataset."""
    bucket = str((deposit.get("links") or {}).get("bucket"))
    # The token goes there.
    if not bucket.startswith(f"{zenodo.site}/"):
        raise TrajstoreError(
            f"{zenodo.site}: files are to go to another server, {plain(bucket)}; is ZENODO_URL right?"
        )
    there = {entry["filename"]: entry for entry in deposit.get("files") or []}
    sent = 0
    for name in parcel.files:
        path, known = parcel.folder / name, there.pop(name, {})
        digest = _md5(path)
        if str(known.get("checksum", "")).removeprefix("md5:") != digest:
            with path.open("rb") as file:
                answer = zenodo.call("PUT", f"{bucket}/{quote(name)}", data=file)
            sent += 1
            if str(answer.get("checksum", "")).removeprefix("md5:") != digest:
                raise TrajstoreError(
                    f"{zenodo.site}: {name} did not arrive as it was sent; run the same command again"
                )
        parcel.advance()
    for other in there:
        zenodo.call("DELETE", f"{bucket}/{quote(other)}")
    return sent


def _md5(path: Path) -> str:
    """As Zenodo states it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
