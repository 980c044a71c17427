"""Files that other programs lay beside a dataset's, of themselves: no part of it, and no harm to it."""

from fnmatch import fnmatchcase

# Of file managers, file systems, Git, Hugging Face, Jupyter and network disks, in small letters.
BYSTANDERS = (
    ".ds_store",
    "._*",
    ".apdisk",
    ".appledouble",
    ".localized",
    ".fseventsd",
    ".spotlight-v100",
    ".trashes",
    ".trash-*",
    ".directory",
    ".nfs*",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "@eadir",
    "lost+found",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".gitkeep",
    ".gitmodules",
    ".dvcignore",
    ".cache",
    ".huggingface",
    ".ipynb_checkpoints",
)
REMARK = "no part of this dataset, but what file managers, Git and the like lay beside files"


def is_bystander(name: str) -> bool:
    """Is a file or folder of this name one that no user put there, or one that keeps files in Git?"""
    return any(fnmatchcase(name.lower(), pattern) for pattern in BYSTANDERS)
