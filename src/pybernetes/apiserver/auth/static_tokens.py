"""Tokens from a file (`--token-auth-file`): lines of `token,user,uid,"group1,group2"`."""

import csv
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from pybernetes.apiserver.auth.bearer import Recognized
from pybernetes.apiserver.types import User


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class StaticTokens:
    """Finds users by token. Only digests are kept and compared, so timing reveals nothing about a token."""

    def __init__(self, tokens: Mapping[str, User]) -> None:
        self._users = {_digest(token): user for token, user in tokens.items()}

    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        """None if the token is not in the file."""
        digest, found = _digest(token), None
        for known, user in self._users.items():
            if hmac.compare_digest(known, digest):
                found = user
        return Recognized(found, tuple(audiences)) if found else None


def parse_token_file(lines: Iterable[str], source: str = "the token file") -> dict[str, User]:
    """Users by token. Raises ValueError with the line number."""
    tokens: dict[str, User] = {}
    for number, row in enumerate(csv.reader(lines, skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3 or not row[0] or not row[1]:
            raise ValueError(f"line {number} of {source}: expected token,user,uid[,groups], got {len(row)} fields")
        if row[0] in tokens:
            raise ValueError(f"line {number} of {source}: the same token stands on an earlier line")
        groups = tuple(g.strip() for g in row[3].split(",") if g.strip()) if len(row) > 3 else ()
        tokens[row[0]] = User(row[1], groups, row[2])
    return tokens
