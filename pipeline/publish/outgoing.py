"""What a push sends: the files of a staged publication, by digest, checked before the hub is asked anything."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import CommitOperationAdd, RepoFile

from pipeline.publish.stage import CARD, CHECKSUMS, PAGES, PROVENANCE
from sources.errors import UserError


@dataclass
class Local:
    """A file to publish: on disk, or (the merged card) in memory."""

    path: str
    source: Path | bytes

    @cached_property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @cached_property
    def sha256(self) -> str:
        return self._digest("sha256", b"")

    @cached_property
    def git_oid(self) -> str:
        return self._digest("sha1", b"blob %d\0" % self.size)

    def _digest(self, name: str, head: bytes) -> str:
        digest = hashlib.new(name, head)
        if isinstance(self.source, bytes):
            digest.update(self.source)
        else:
            with self.source.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def is_at(self, remote: RepoFile | None) -> bool:
        """Whether the hub has just this; hashed only where the size is the same."""
        if remote is None:
            return False
        if remote.lfs is not None:
            return remote.lfs.size == self.size and remote.lfs.sha256 == self.sha256
        return remote.size == self.size and remote.blob_id == self.git_oid

    def operation(self) -> CommitOperationAdd:
        """A new one each round: the hub's client keeps in it what it learned of an earlier head."""
        source = self.source if isinstance(self.source, bytes) else str(self.source)
        operation = CommitOperationAdd(path_in_repo=self.path, path_or_fileobj=source)
        if "sha256" in self.__dict__:  # known already: not to be read again
            operation.upload_info.sha256 = bytes.fromhex(self.sha256)
        return operation


@dataclass(frozen=True)
class Outgoing:
    """A staged publication: the files that are ours alone, and the pages, which people may have written in.

    :param provenance: what it says of itself; its ``header`` is what we wanted in the card.
    :param left: files in the folder that are not of the publication, and stay there.
    """

    folder: Path
    files: dict[str, Local]
    pages: dict[str, str]
    provenance: dict[str, Any]
    left: list[str]

    @classmethod
    def read(cls, folder: Path) -> Outgoing:
        """
        :raises UserError: it is no staged publication, or was changed since it was made. Pages may be.
        """
        fix = "stage it with `wellmix publish`"
        if not folder.is_dir():
            raise UserError("there is no such folder", where=folder, fix=fix)
        if missing := next((name for name in (CARD, CHECKSUMS, PROVENANCE) if not (folder / name).is_file()), None):
            raise UserError(f"this is not a staged publication: it has no {missing}", where=folder, fix=fix)
        listed = {
            name: sha for name, sha in read_checksums((folder / CHECKSUMS).read_bytes()).items() if name not in PAGES
        }
        files = {name: Local(name, folder / name) for name in [*listed, CHECKSUMS]}
        pages = {name: folder / name for name in PAGES if (folder / name).is_file()}
        for path in [*(folder / name for name in files), *pages.values()]:
            if not path.is_file():
                raise UserError("a file of the publication is missing", where=path, fix="stage it again")
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UserError("a file of the publication leads out of its folder", where=path, fix="stage it again")
        for name, digest in listed.items():
            if files[name].sha256 != digest:
                raise UserError("a file was changed since it was staged", where=folder / name, fix="stage it again")
        if not any(is_data(name) for name in files):
            raise UserError("the publication has no rows: nothing in data/", where=folder, fix=fix)
        left = [
            name
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            and (name := path.relative_to(folder).as_posix()) not in files
            and name not in pages
            and not any(part.startswith(".") for part in name.split("/"))
        ]
        try:
            texts = {name: path.read_bytes().decode("utf-8") for name, path in pages.items()}
            provenance = dict(json.loads((folder / PROVENANCE).read_bytes()))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"a page or the provenance cannot be read: {error}", where=folder, fix="stage it again"
            ) from None
        return cls(folder, files, texts, provenance, left)


def is_data(name: str) -> bool:
    return PurePosixPath(name).parts[0] == "data" and name.endswith(".parquet")


def read_checksums(text: bytes) -> dict[str, str]:
    """Lines of ``sha256sum``: path -> digest. What else somebody may have written there is passed over."""
    found = re.findall(r"^([0-9a-f]{64}) [ *](.+?)\r?$", text.decode("utf-8", "replace"), re.MULTILINE)
    return {name: digest for digest, name in found if ".." not in name.split("/") and not name.startswith("/")}
