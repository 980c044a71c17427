"""Kinds of files by their first bytes: what a file is that cannot be read here, and what to do with it."""

import zipfile
from pathlib import Path

HEAD_BYTES = 512
TEXT = "save it as CSV with a header"
UNPACK = "unpack it, and name the files in it"
ARRAYS = "save its arrays as NPZ, HDF5 or netCDF"
PLAIN = "save it as UTF-8"
GZIP = b"\x1f\x8b"
# First bytes -> what begins so, and how it is mended. The first that fits counts.
BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\xfe\0\0", "UTF-32 text", PLAIN),
    (b"\0\0\xfe\xff", "UTF-32 text", PLAIN),
    (b"\xff\xfe", 'UTF-16 text, which Excel calls "Unicode text"', PLAIN),
    (b"\xfe\xff", 'UTF-16 text, which Excel calls "Unicode text"', PLAIN),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind (XLS), or another OLE file", TEXT),
    (GZIP, "packed with gzip", UNPACK),
    (b"BZh", "packed with bzip2", UNPACK),
    (b"\xfd7zXZ\0", "packed with xz", UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", UNPACK),
    (b"PAR1", "a Parquet file", 'save it as CSV, as in pandas.read_parquet(FILE).to_csv("data.csv", index=False)'),
    (b"ARROW1", "a Feather (Arrow) file", TEXT),
    (b"FEA1", "a Feather file", TEXT),
    (b"ORC", "an ORC file", TEXT),
    (b"Obj\x01", "an Avro file", TEXT),
    (b"CDF\x05", "a netCDF file of the kind CDF-5", "convert it, as in nccopy -k nc4 FILE data.nc"),
    (b"\xcd\xf3\x00\x01", "a CDF file of NASA's", ARRAYS),
    (b"\x0e\x03\x13\x01", "an HDF4 file", "convert it, as in h4toh5 FILE data.h5"),
    (b"GRIB", "a GRIB file", ARRAYS),
    (b"SIMPLE  =", "a FITS file", ARRAYS),
    (b"TDSm", "a TDMS file of LabVIEW", TEXT),
    (b"SQLite format 3\0", "an SQLite database", TEXT),
    (b"RDX", "an R workspace", "save a table of it with write.csv(..., row.names = FALSE)"),
    (b"RDA", "an R workspace", "save a table of it with write.csv(..., row.names = FALSE)"),
    (b"<stata_dta>", "a Stata file", "save it as CSV, with export delimited"),
    (b"$FL2", "an SPSS file", TEXT),
    (b"$FL3", "an SPSS file", TEXT),
    (b"\x89PNG", "a picture (PNG)", "name files of numbers"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "name files of numbers"),
    (b"GIF8", "a picture (GIF)", "name files of numbers"),
    (b"II*\0", "a picture (TIFF)", "name files of numbers"),
    (b"MM\0*", "a picture (TIFF)", "name files of numbers"),
    (b"%PDF", "a PDF document", "name files of numbers"),
    (b"RIFF", "a sound or film (RIFF)", ARRAYS),
    (b"\x7fELF", "a program", "name files of numbers"),
    (b"version https://git-lfs", "the pointer of a file that Git LFS keeps", "fetch it with git lfs pull"),
    (b"{", "JSON", f"{TEXT}, or say --dysts if it is a file of that benchmark"),
    (b"[{", "JSON", TEXT),
    (b"<!", "HTML or XML", "download the file itself; a server may have sent a page instead"),
    (b"<?xml", "XML", TEXT),
    (b"<html", "HTML", "download the file itself; a server may have sent a page instead"),
)  # fmt: skip
MATLAB_5 = b"MATLAB 5.0 MAT-file"
NPY = b"\x93NUMPY"
# Of a pickle, which opens a file of other contents that may run code.
PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
# A member, and what has it.
ARCHIVES = (
    ("xl/workbook.xml", "an Excel workbook (XLSX)", "save the sheet as CSV"),
    ("xl/workbook.bin", "an Excel workbook (XLSB)", "save the sheet as CSV"),
    ("word/document.xml", "a Word document", "name files of numbers"),
    ("content.xml", "a document or table of LibreOffice (ODF)", "save the sheet as CSV"),
)


def told(path: Path, head: bytes) -> str | None:
    """What a file is that is not read here, and what to do about it; None for what may be a table.

    head  its first HEAD_BYTES
    """
    if head.startswith(PICKLES) and path.suffix != ".csv":
        return f"is a pickle, which may run code when it is opened; {ARRAYS}"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, what, mend in BEGINNINGS:
        if head.startswith(beginning) or (beginning.isascii() and text.startswith(beginning)):
            return f"is {what}; {mend}"
    if path.suffix.casefold() == ".mat":
        return "is a MATLAB file of version 4 or damaged; save it with -v7 or -v7.3"
    if b"\0" in head:
        return f"neither CSV, NPY, NPZ, HDF5, MATLAB nor netCDF, but a file of a kind that is not known; {ARRAYS}"
    return None


def told_archive(archive: zipfile.ZipFile) -> str | None:
    """The same for a zip archive; None for arrays of NumPy."""
    names = archive.namelist()
    for member, what, mend in ARCHIVES:
        if member in names:
            return f"is {what}; {mend}"
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return f"is a checkpoint of PyTorch; {ARRAYS}"
    if not all(name.endswith(".npy") for name in names):
        return f"is a zip archive; {UNPACK}"
    return None
