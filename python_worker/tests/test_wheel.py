"""The wheel, built and opened: what it says of itself, what it carries, and that it works away from this repository."""

import email
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sjd2_worker

PROJECT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
USE = """
import sjd2_worker.protocol as protocol
print(protocol.__file__)
print(protocol.schema()["title"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked. It is built from a copy: building writes into the folder."""
    source, target = tmp_path_factory.mktemp("source") / "worker", tmp_path_factory.mktemp("wheel")
    shutil.copytree(PROJECT / "python_worker", source, ignore=shutil.ignore_patterns("tests", "*.egg-info", "build"))
    subprocess.run([sys.executable, "-c", BUILD, str(target)], cwd=source, check=True, capture_output=True)
    (archive,) = target.glob("*.whl")
    with zipfile.ZipFile(archive) as files:
        files.extractall(target / "site")
    return target / "site"


def information(wheel: Path) -> Path:
    (folder,) = wheel.glob("*.dist-info")
    return folder


def test_says_what_it_is_whose_and_under_which_licence(wheel: Path) -> None:
    said = email.message_from_string((information(wheel) / "METADATA").read_text("utf-8"))
    assert said["Version"] == sjd2_worker.__version__
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Author"] == "The SJD2 authors"
    assert said.get_all("Project-URL")
    for name in ("LICENSE", "NOTICE"):
        assert (information(wheel) / "licenses" / name).read_bytes() == (PROJECT / name).read_bytes()


def test_is_of_the_version_of_the_orchestrator(wheel: Path) -> None:
    package = json.loads((PROJECT / "package.json").read_text("utf-8"))
    assert package["version"] == sjd2_worker.__version__


def test_holds_the_worker_its_types_and_the_schema_and_no_tests(wheel: Path) -> None:
    assert {path.name for path in wheel.iterdir()} == {"sjd2_worker", information(wheel).name}
    for name in ("schema.json", "py.typed"):
        assert (wheel / "sjd2_worker" / name).is_file()


def test_runs_away_from_the_repository(wheel: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n")[:2] == [str(wheel / "sjd2_worker" / "protocol.py"), "Message"], done.stderr
