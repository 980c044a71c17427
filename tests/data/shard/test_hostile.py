"""Whatever a stranger puts into a dataset is refused with a message: at once, in little memory, opening nothing."""

import json
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from trajstore.data import FormatError, TrajectoryDataset, load_manifest, read_shard, verify, write_shard
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.data.integrity.child_reader import IsolatedReader

ROWS, SHAPE = 50, (50, 21, 2)
# Of address space, so that a bomb that goes off is an error and not the end of the machine.
MEMORY_BYTES = 96 << 20
SECONDS = 5.0


@pytest.fixture
def shard(tmp_path, make_shard) -> Path:
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(ROWS))
    return path


@pytest.fixture
def trap(tmp_path) -> Path:
    """A pipe outside the dataset: whoever opens it waits for ever."""
    (tmp_path / "outside").mkdir()
    path = tmp_path / "outside" / "secret.h5"
    os.mkfifo(path)
    return path


@pytest.fixture(scope="module")
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader(seconds=int(SECONDS), memory=MEMORY_BYTES) as reader:
        yield reader


def refused(path: Path, reader: IsolatedReader, expected: str, time_limit) -> None:
    """By all that opens a file: in this process, as `verify` and as `info` do."""
    with time_limit(3 * SECONDS):
        for read in (
            read_shard,
            TrajectoryDataset,
            lambda path: reader("problems", path),
            lambda path: reader("manifest", path),
        ):
            with pytest.raises(FormatError, match=expected) as found:
                read(path)
            assert str(path) in str(found.value)
            assert len(str(found.value)) < 2000


# A file that reaches out of itself, to a pipe that nobody writes to.


def external_link(file: h5py.File, outside: str) -> None:
    del file["state"]
    file["state"] = h5py.ExternalLink(outside, "state")


def unknown_external_link(file: h5py.File, outside: str) -> None:
    file["spare"] = h5py.ExternalLink(outside, "state")


def external_storage(file: h5py.File, outside: str) -> None:
    del file["state"]
    file.create_dataset("state", SHAPE, "f4", external=[(outside, 0, 4 * 50 * 21 * 2)])


def virtual(file: h5py.File, outside: str) -> None:
    del file["state"]
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(outside, "state", SHAPE)
    file.create_virtual_dataset("state", layout)


def virtual_without_end(file: h5py.File, outside: str) -> None:
    # To ask for its shape opens its sources.
    del file["state"]
    layout = h5py.VirtualLayout((ROWS, 21, 2), "f4", maxshape=(None, 21, 2))
    source = h5py.VirtualSource(outside, "state", SHAPE, maxshape=(None, 21, 2))
    everything = h5py.h5s.UNLIMITED
    layout[0:everything, :, :] = source[0:everything, :, :]
    file.create_virtual_dataset("state", layout)


OUTWARD: dict[str, tuple[Callable[[h5py.File, str], None], str]] = {
    "external link": (external_link, "'state' is a link to another file"),
    "external link beside": (unknown_external_link, "'spare' is a link to another file"),
    "external storage": (external_storage, "'state' lies in another file"),
    "virtual dataset": (virtual, "'state' lies in other files"),
    "virtual dataset without end": (virtual_without_end, "'state' lies in other files"),
}


@pytest.mark.parametrize("case", OUTWARD)
def test_a_file_that_reaches_out_of_itself_is_refused_and_reaches_nothing(
    shard, trap, reader, time_limit, case
):
    reach, expected = OUTWARD[case]
    with h5py.File(shard, "r+") as file:
        reach(file, str(trap))
    refused(shard, reader, expected, time_limit)


@pytest.mark.slow
@pytest.mark.parametrize("case", OUTWARD)
def test_those_files_do_reach_out_where_nobody_refuses_them(shard, trap, case):
    with h5py.File(shard, "r+") as file:
        OUTWARD[case][0](file, str(trap))
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with h5py.File(shard) as file:
            for item in file.values():
                item[()]
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGALRM


# A file that declares what no shard declares.


def in_place_of(name: str, **options) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        role = file[name].attrs.get("role")
        del file[name]
        file.create_dataset(name, **options)
        if role:
            file[name].attrs["role"] = role

    return change


def soft_link(file: h5py.File) -> None:
    file.move("state", "elsewhere")
    file["state"] = h5py.SoftLink("/elsewhere")


def links_to_itself(file: h5py.File) -> None:
    file["loop"] = file["/"]


def overlapping(file: h5py.File) -> None:
    for number in range(500):
        file[f"m{number}"] = file["mu"]


def many_links(file: h5py.File) -> None:
    for number in range(2001):
        file[f"m{number}"] = file["mu"]


def many_attributes(file: h5py.File) -> None:
    for number in range(1001):
        file.attrs[f"a{number}"] = 0


def own_filter(file: h5py.File) -> None:
    del file["state"]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk(SHAPE)
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(file.id, b"state", h5py.h5t.IEEE_F32LE, space, made).write_direct_chunk(
        (0, 0, 0), bytes(8400)
    )


def own_numbers(file: h5py.File) -> None:
    del file["state"]
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(100)
    h5py.h5d.create(file.id, b"state", kind, h5py.h5s.create_simple(SHAPE)).write(
        h5py.h5s.ALL, h5py.h5s.ALL, np.zeros(SHAPE, "f4"), kind
    )


def chunk_bomb(file: h5py.File) -> None:
    """One chunk of 8400 bytes whose stream gives 60 million."""
    in_place_of("state", shape=SHAPE, dtype="f4", chunks=SHAPE, compression="gzip")(file)
    file["state"].id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(60_000_000), 9))


def wrong_checksum(file: h5py.File) -> None:
    in_place_of("state", shape=SHAPE, dtype="f4", chunks=SHAPE, compression="gzip")(file)
    file["state"].id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(8400))[:-1] + b"\7")


def large_stored_chunk(file: h5py.File) -> None:
    in_place_of("state", shape=SHAPE, dtype="f4", chunks=SHAPE, compression="gzip")(file)
    file["state"].id.write_direct_chunk((0, 0, 0), os.urandom(200_000))


def bomb(file: h5py.File) -> None:
    """Two gigabytes of zeros in two megabytes."""
    rows = 16 << 20 >> 3
    in_place_of("state", shape=(128 * rows, 1, 2), dtype="f4", chunks=(rows, 1, 2), compression="gzip")(file)
    packed = zlib.compress(bytes(16 << 20), 9)
    for chunk in range(128):
        file["state"].id.write_direct_chunk((chunk * rows, 0, 0), packed)


def references(file: h5py.File) -> None:
    in_place_of("mu", shape=(ROWS,), dtype=h5py.ref_dtype)(file)
    file["mu"][:] = file["state"].ref


TEXT = h5py.string_dtype()
DECLARED: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "soft link": (soft_link, "'state' is a soft link"),
    "link to itself": (links_to_itself, "unknown variable 'loop'"),
    "overlapping variables": (overlapping, "overlap"),
    "thousands of links": (many_links, "more than 2000 variables"),
    "thousands of attributes": (many_attributes, "more than 1000 attributes"),
    "absurd shape": (in_place_of("state", shape=(2**40, 21, 2), dtype="f4"), "does not hold"),
    "absurd shape of small data": (in_place_of("mu", shape=(2**44,), dtype="f8"), "does not hold"),
    "never written": (in_place_of("state", shape=SHAPE, dtype="f4"), "does not hold"),
    "absurd chunks": (
        in_place_of("state", shape=(2**40, 21, 2), dtype="f4", chunks=(100, 21, 2), compression="gzip"),
        "chunks, expected at most",
    ),
    "chunks never written": (
        in_place_of("state", shape=SHAPE, dtype="f4", chunks=(5, 21, 2), compression="gzip"),
        "missing",
    ),
    "absurd but empty": (
        in_place_of("state", shape=(2**30, 21, 2), dtype="f4", chunks=(2**16, 21, 2), compression="gzip"),
        "unpacks to",
    ),
    "large chunk": (
        in_place_of("state", shape=(10**6, 21, 2), dtype="f4", chunks=(10**6, 21, 2), compression="gzip"),
        "has chunks of",
    ),
    "chunk bomb": (chunk_bomb, "does not unpack to its 8400 bytes|larger than they can be"),
    "chunk with a wrong checksum": (wrong_checksum, "does not unpack"),
    "large stored chunk": (large_stored_chunk, "larger than they can be"),
    "bomb": (bomb, "unpacks to 2147483648 bytes"),
    "filter of its own": (own_filter, "filters"),
    "lzf": (
        in_place_of("state", data=np.zeros(SHAPE, "f4"), chunks=SHAPE, compression="lzf"),
        "filters",
    ),
    "chunked parameter": (in_place_of("mu", data=np.zeros(ROWS), chunks=(5,)), "'mu' is chunked"),
    "numbers of its own": (own_numbers, "number format of its own|dtype"),
    "rank 0": (in_place_of("state", data=np.float32(1)), "'state' has shape"),
    "rank 2": (in_place_of("state", data=np.zeros((50, 42), "f4")), "'state' has shape"),
    "rank 32": (in_place_of("state", data=np.zeros((1,) * 32, "f4")), "'state' has shape"),
    "no extent": (in_place_of("state", data=h5py.Empty("f4")), "'state' has shape"),
    "a group": (lambda file: (file.__delitem__("state"), file.create_group("state")), "'state' is missing"),
    "text as numbers": (in_place_of("mu", data=["x"] * ROWS, dtype=TEXT), "'mu' has dtype string"),
    "references": (references, "'mu' has dtype object"),
    "many names": (in_place_of("component", data=["x"] * 10_001, dtype=TEXT), "at most 10000"),
    "long name": (in_place_of("component", data=["x" * (2 << 20), "y"], dtype=TEXT), "more than 1048576"),
    "name that is no text": (
        in_place_of("component", data=np.array([b"\xff", b"y"], object), dtype=TEXT),
        "UTF-8|utf-8",
    ),
    "name that commands a terminal": (in_place_of("component", data=["\x1b[2J", "y"], dtype=TEXT), "control"),
}
ATTRIBUTES = {
    "array": (np.zeros(3), "no single value"),
    "array of texts": (np.array(["a", "b"], object), "no single value"),
    "array of one": (np.array([0]), "no single value"),
    "nothing": (h5py.Empty("i8"), "no single value"),
    "float": (1.5, "unexpected type"),
    "complex": (1j, "unexpected type"),
    "boolean": (np.bool_(True), "unexpected type"),
    "compound": (np.array((1, 2), dtype=[("a", "i8"), ("b", "i8")])[()], "unexpected type"),
    "opaque": (np.void(b"abc"), "unexpected type"),
    "megabytes": ("x" * (2 << 20), "2097152 bytes"),
    "bytes that are no text": (np.bytes_(b"\xff\xfe"), "no UTF-8"),
    "command to a terminal": ("\x1b]0;owned\x07", "control characters"),
    "the other type": (7, "expected str"),
}
for _name, (_value, _expected) in ATTRIBUTES.items():
    DECLARED[f"attribute: {_name}"] = (
        lambda file, value=_value: file.attrs.create(
            "title", value, dtype=TEXT if isinstance(value, str) else None
        ),
        _expected,
    )
DECLARED["attribute: missing"] = (
    lambda file: file.attrs.__delitem__("title"),
    "'title' is None, expected str",
)


@pytest.mark.parametrize("case", DECLARED)
def test_what_no_shard_declares_is_refused(shard, reader, time_limit, case):
    change, expected = DECLARED[case]
    with h5py.File(shard, "r+") as file:
        change(file)
    refused(shard, reader, expected, time_limit)


def test_a_fixed_text_of_megabytes_is_refused_unread(shard, reader, time_limit):
    # Only the newer format has room for attributes of more than 64 KB.
    with h5py.File(shard, "w", libver="latest") as file:
        file.attrs.create("format", np.bytes_(b"x" * (2 << 20)))
    refused(shard, reader, "2097152 bytes", time_limit)


@pytest.mark.slow
@pytest.mark.parametrize("number", [np.uint64(2**64 - 1), np.int64(2**63 - 1), np.int64(-1)])
def test_a_first_row_that_no_dataset_reaches_is_refused(shard, reader, time_limit, number):
    with h5py.File(shard, "r+") as file:
        file.attrs.create("first_row", number)
    refused(shard, reader, "'first_row' is ", time_limit)


# Files that no library writes.


def renamed(name: bytes, other: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert content.count(name + b"\0") == 1
        return content.replace(name + b"\0", other + b"\0")

    return change


def test_an_attribute_that_is_there_twice_with_two_types_is_refused(shard, reader, time_limit):
    with h5py.File(shard, "r+") as file:
        file.attrs["titlf"] = np.int64(4)
    shard.write_bytes(renamed(b"titlf", b"title")(shard.read_bytes()))
    refused(shard, reader, "attribute 'title' is there twice", time_limit)


def test_a_variable_that_is_there_twice_is_refused(shard, reader, time_limit):
    with h5py.File(shard, "r+") as file:
        file["mv"] = file["mu"]
    shard.write_bytes(renamed(b"mv", b"mu")(shard.read_bytes()))
    refused(shard, reader, "variable 'mu' is there twice", time_limit)


@pytest.mark.slow
def test_names_that_are_all_the_same_megabytes_cost_them_once(shard, reader, time_limit):
    with h5py.File(shard, "r+") as file:
        del file["component"]
        names = ["n" * (8 << 20), *("m" * 1000)]
        file.create_dataset("component", data=names, dtype=TEXT)
        offset = file["component"].id.get_offset()
    content = bytearray(shard.read_bytes())
    content[offset : offset + 16 * 1001] = content[offset : offset + 16] * 1001
    shard.write_bytes(content)
    # A thousand times 8 MB would not fit.
    refused(shard, reader, "more than 1048576|component has", time_limit)


@pytest.mark.parametrize("step", [0, 2**64 - 16])
def test_a_heap_that_does_not_advance_is_refused_before_the_library_hangs(shard, reader, time_limit, step):
    content = bytearray(shard.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 18] = (int(step > 0)).to_bytes(2, "little")
    content[heap + 24 : heap + 32] = step.to_bytes(8, "little")
    shard.write_bytes(content)
    refused(shard, reader, "texts cannot be read", time_limit)


@pytest.mark.slow
def test_heaps_that_overlap_cost_no_more_than_the_file_is_long(shard, reader, time_limit):
    # Each object holds what looks like another heap that reaches to the end: to walk them all is quadratic.
    objects = 16_000
    one = (
        (b"\1\0\1\0" + bytes(4) + (16).to_bytes(8, "little"))
        + b"GCOL\1\0\0\0"
        + (32 * objects).to_bytes(8, "little")
    )
    content = shard.read_bytes()
    shard.write_bytes(content + bytes(-len(content) % 8) + one * objects)
    refused(shard, reader, "texts cannot be read", time_limit)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1 << 30, 1 << 42])
def test_a_file_that_is_mostly_nothing_is_refused_unread(shard, reader, time_limit, size):
    os.truncate(shard, size)
    refused(shard, reader, "belong to no variable", time_limit)


@pytest.mark.slow
def test_a_shard_in_tens_of_megabytes_of_texts_is_read(shard):
    with h5py.File(shard, "r+") as file:
        for index in range(20):
            file.attrs[f"note {index}"] = "x" * 1_000_000
    assert shard.stat().st_size > 20_000_000
    assert read_shard(shard).state.shape == SHAPE


@pytest.mark.slow
@pytest.mark.parametrize("empty", ["time", "component"])
def test_a_shard_without_times_or_components_is_refused(shard, reader, time_limit, empty):
    emptied = {"time": {"time": 0, "state": 1}, "component": {"component": 0, "state": 2, "initial_state": 1}}
    with h5py.File(shard, "r+") as file:
        for name, axis in emptied[empty].items():
            found = file[name]
            shape, dtype = list(found.shape), found.dtype
            shape[axis] = 0
            del file[name]
            file.create_dataset(name, tuple(shape), dtype)
    refused(shard, reader, f"'{empty}' is empty", time_limit)


def test_a_split_that_there_is_not_is_refused(shard, reader, time_limit):
    with h5py.File(shard, "r+") as file:
        file.attrs["split"] = "exam"
    refused(shard, reader, "'split' is 'exam', expected train, validation, test", time_limit)


def test_a_chunk_beyond_the_end_of_the_file_is_refused_at_once(tmp_path, make_shard, reader, time_limit):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(ROWS), "gzip")
    with h5py.File(path) as file:
        address = file["state"].id.get_chunk_info(0).byte_offset.to_bytes(8, "little")
    path.write_bytes(path.read_bytes().replace(address, (2**50).to_bytes(8, "little")))
    refused(path, reader, "beyond the file|missing|is damaged", time_limit)


def test_bytes_before_the_file_are_refused(shard, reader, time_limit):
    with h5py.File(shard, "w", userblock_size=512):
        pass
    refused(shard, reader, "512 bytes that are no HDF5", time_limit)


# What is no file, or lies elsewhere.


@pytest.mark.parametrize("case", ["pipe", "device", "link", "dangling link"])
def test_a_shard_that_is_no_regular_file_is_refused_unopened(shard, reader, trap, time_limit, case):
    content = shard.read_bytes()
    shard.unlink()
    target = {
        "device": Path("/dev/zero"),
        "dangling link": trap.with_name("none"),
        "link": trap.with_name("copy"),
    }
    if case == "link":
        target[case].write_bytes(content)
    os.mkfifo(shard) if case == "pipe" else shard.symlink_to(target[case])
    expected = "is no regular file" if case == "pipe" else "is a link"
    with time_limit(SECONDS):
        for read in (
            read_shard,
            lambda path: reader("problems", path),
            lambda path: reader("manifest", path),
        ):
            with pytest.raises(FormatError, match=expected):
                read(shard)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["pipe", "device", "link"])
def test_a_shard_of_a_dataset_that_is_none_is_a_problem_and_is_not_opened(
    dataset_copy, trap, time_limit, case
):
    shard = dataset_copy / "train-00001.h5"
    moved = trap.with_name("moved.h5")
    shard.rename(moved)
    if case == "pipe":
        os.mkfifo(shard)
    else:
        shard.symlink_to(moved if case == "link" else "/dev/zero")
    expected = "is no regular file" if case == "pipe" else "is a link"
    with time_limit(2 * SECONDS):
        for isolated in (False, True):
            found = verify(dataset_copy, isolated=isolated)
            assert len(found) <= 2
            assert any(line.startswith("train-00001.h5: ") and expected in line for line in found)
        with pytest.raises(FormatError, match=expected):
            TrajectoryDataset(dataset_copy).states([40])


@pytest.mark.slow
@pytest.mark.parametrize("name", [MANIFEST, CHECKSUMS])
@pytest.mark.parametrize("case", ["pipe", "link", "too large"])
def test_a_text_file_that_is_none_or_too_large_is_refused_unread(dataset_copy, trap, time_limit, name, case):
    path = dataset_copy / name
    if case == "too large":
        os.truncate(path, 65 << 20)
    else:
        path.rename(trap.with_name(name))
        os.mkfifo(path) if case == "pipe" else path.symlink_to(trap.with_name(name))
    expected = {"pipe": "is no regular file", "link": "is a link", "too large": "at most 67108864"}[case]
    with time_limit(SECONDS):
        if name == CHECKSUMS:
            assert [line for line in verify(dataset_copy) if name in line and expected in line]
        else:
            for read in (verify, TrajectoryDataset, load_manifest):
                with pytest.raises(FormatError, match=expected):
                    read(dataset_copy)


@pytest.mark.parametrize(
    "name",
    [
        "../train-00000.h5",
        "/etc/passwd",
        "/tmp/train-00000.h5",
        "folder/train-00000.h5",
        "train-00000.h5\n",
        "train-00000.h5\0.txt",
        "..",
        "",
        "file:///train-00000.h5",
        f"train-{'1' * 300}.h5",
    ],
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused(dataset_copy, name):
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    raw["splits"]["train"]["shards"][0]["file"] = name
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    with pytest.raises(FormatError, match=r"shards\.0\.file|control characters"):
        load_manifest(dataset_copy)
    with pytest.raises(FormatError):
        verify(dataset_copy)


@pytest.mark.parametrize("number", [-1, 2**63, 10**400, 1e300, float("nan")])
@pytest.mark.parametrize("key", ["rows", "first_row", "failed", "bytes"])
def test_a_manifest_with_absurd_counts_is_refused(dataset_copy, time_limit, key, number):
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    raw["splits"]["train"]["shards"][0][key] = number
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    for read in (verify, TrajectoryDataset):
        with time_limit(SECONDS), pytest.raises(FormatError):
            read(dataset_copy)


def test_a_manifest_that_commands_a_terminal_is_refused(dataset_copy):
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    raw["system"]["description"] = raw["config"]["system"]["description"] = "\x1b[2J"
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    with pytest.raises(FormatError, match="control characters"):
        load_manifest(dataset_copy)
    # A backslash in LaTeX is none.
    raw["system"]["description"] = raw["config"]["system"]["description"] = r"$\beta$ \u001b \\r"
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    load_manifest(dataset_copy)
