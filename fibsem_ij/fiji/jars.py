"""The jars of the embedded ImageJ: pinned, checksummed, from Maven Central alone.

They land in the local Maven repository (`M2_REPO`, else ~/.m2/repository), where Maven and jgo would put them, so a warm
cache needs no network. A jar appears under its name only when it is whole and its checksum is right.

Why not `scyjava.config.endpoints` (jgo)? Measured with jgo 3.2: it asks raw.githubusercontent.com for a JDK's `jar` tool
although none is needed, fetches 44 jars where 10 do, keeps the torso of an interrupted download for good, and two
processes that start at the same time trip over each other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fibsem_ij.fiji.errors import FijiError

log = logging.getLogger(__name__)

CENTRAL = "https://repo.maven.apache.org/maven2"
_TIMEOUT_S = 30
_TRIES = 3  # a busy network drops a connection now and then


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> str:
        """Where it lies in any Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.artifact}-{self.version}.jar"


IMAGEJ = Jar("net.imagej", "ij", "1.54p", "2e1a09961dfb41cee66ddc821b2577a41a072566ce45a49bae69267099741e20")
JARS = (
    IMAGEJ,
    # What makes ImageJ 1.x work headless: the patches that Fiji itself uses, and what they stand on.
    Jar("net.imagej", "ij1-patcher", "2.0.0", "b68810263f9521ddb34bac272816613ebb71607775c1fc337079a0476c2b581a"),
    Jar("org.javassist", "javassist", "3.30.2-GA", "eba37290994b5e4868f3af98ff113f6244a6b099385d9ad46881307d3cb01aaf"),
    Jar("io.github.classgraph", "classgraph", "4.8.162", "ea30b2d5e29e89d52706bcecf7a6ae3b44682d4a1566a5f22b9453f9be2a970c"),
    # Scripts with #@ parameters, in Groovy and Jython.
    Jar("org.scijava", "scijava-common", "2.99.2", "77372fd4da3e0b769589d84003c31b6858c0708fd98234c262848fbc9395af1b"),
    Jar("org.scijava", "parsington", "3.1.0", "7943c91a1e62918ea47d0a08f6b5989a8b388e019216441002236528f769c72a"),
    Jar("org.apache.groovy", "groovy", "4.0.27", "c9103813240be47a6c48bcdda7c5ed2e5fc9ecba3251c6ab8122258230a97f9d"),
    Jar("org.apache.groovy", "groovy-jsr223", "4.0.27", "4aef825b72b4242f806987e9d1a5f4da721446413fefe2470624ff815dcaf465"),
    Jar("org.apache.groovy", "groovy-json", "4.0.27", "a614690bb526370d4b80ced80e9ecfc9afd59acffed8f72d62f36478978dbd14"),
    Jar("org.python", "jython-standalone", "2.7.4", "1fba1769effcc8b19f5e10436bc8274a158ce988559f257927c24c73bb137f3c"),
)


def repository() -> Path:
    """The local Maven repository."""
    return Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository").expanduser()


def missing() -> list[Jar]:
    """The jars that a first start would have to fetch."""
    return [jar for jar in JARS if not (repository() / jar.path).is_file()]


def fetched() -> list[Path]:
    """Every jar, on disk and checked; what is missing or damaged comes from Maven Central."""
    return [_fetched(jar, repository() / jar.path) for jar in JARS]


def _fetched(jar: Jar, path: Path) -> Path:
    if path.is_file():
        if _sha256(path.read_bytes()) == jar.sha256:
            return path
        log.warning("%s is damaged; fetching it again", path.name)
    log.info("fetching %s from Maven Central", path.name)
    content = _download(f"{CENTRAL}/{jar.path}")
    if (got := _sha256(content)) != jar.sha256:
        raise FijiError(f"expected {path.name} with SHA-256 {jar.sha256}, got {got}; something on the way changes downloads")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)
    return path


def _download(url: str) -> bytes:
    import requests  # and not urllib: it brings its own certificates, which python.org's macOS builds lack
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    try:
        with requests.Session() as web:
            web.mount("https://", HTTPAdapter(max_retries=Retry(_TRIES, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))))
            answer = web.get(url, timeout=_TIMEOUT_S)
            answer.raise_for_status()
    except requests.RequestException as error:
        raise FijiError(f"expected {url}, got {type(error).__name__}: {error}; connect this machine to Maven Central once, copy a "
                        "~/.m2/repository from one that was, or point FIBSEM_IJ_FIJI to a Fiji") from error
    content: bytes = answer.content
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
