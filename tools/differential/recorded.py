"""kube-apiserver's recorded answers: a gzipped file of JSON lines per kind below tests/testdata/answers.

Each line holds mode, at, how, value, code, answer, warnings. They were recorded from kube-apiserver 1.37.2 with etcd
3.7.3, RBAC, the plugins that are on by default, service addresses of 10.0.0.0/16, a service account `default` in the
namespace `default`, and no controllers.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from .answers import Answer, normal
from .corpus import Case, Change, KindCases

FOLDER = Path(__file__).parent.parent.parent / "tests/testdata/answers"
SERVICE_CIDR = "10.0.0.0/16"


def read(of: KindCases, folder: Path = FOLDER) -> list[tuple[Case, Answer]]:
    """The cases of a kind with their answers; empty where none were recorded."""
    path = folder / f"{of.file_name}.jsonl.gz"
    return list(_rows(path)) if path.exists() else []


def _rows(path: Path) -> Iterator[tuple[Case, Answer]]:
    with gzip.open(path) as lines:
        for line in lines:
            row = json.loads(line)
            change = Change(tuple(row["at"]), row["how"], row["value"])
            texts = (text.removeprefix('299 - "').removesuffix('"').replace('\\"', '"') for text in row["warnings"])
            yield Case(row["mode"], (change,)), Answer(row["code"], row["answer"], tuple(sorted(texts)))


def write(of: KindCases, rows: Iterable[tuple[Case, Answer]], folder: Path = FOLDER) -> None:
    """Record a kind's answers; the same answers make the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(folder / f"{of.file_name}.jsonl.gz", "wb", 9, mtime=0) as sink:
        for case, answer in rows:
            (change,) = case.changes
            quoted = ('299 - "' + text.replace('"', '\\"') + '"' for text in answer.warnings)
            row = {
                "mode": case.mode,
                "at": list(change.at),
                "how": change.how,
                "value": change.value,
                "code": answer.code,
                "answer": normal(answer.body),
                "warnings": list(quoted),
            }
            sink.write((json.dumps(row, separators=(",", ":")) + "\n").encode())
