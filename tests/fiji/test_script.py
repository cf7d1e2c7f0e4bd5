"""Scripts with #@ parameters, Groovy and Jython."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.volume import Labels, Volume

pytestmark = pytest.mark.timeout(120)

GROOVY = """#@ ImagePlus image
#@ Integer more
#@ String (value="none", persist=false) note
#@ LogService log
#@output ImagePlus result
#@output String said
#@output Double mean
mean = image.getProcessor().getStatistics().mean
result = image.duplicate()
result.getProcessor().add(more)
said = note + " " + (log != null)
"""
JYTHON = GROOVY.replace("log != null", "log is not None").replace('note + " " + (', 'note + " " + str(')


@pytest.mark.parametrize(("suffix", "code"), [("groovy", GROOVY), ("py", JYTHON)])
def test_images_and_values_go_in_and_come_out(session: fiji.Session, tmp_path: Path, suffix: str, code: str) -> None:
    path = tmp_path / f"add.{suffix}"
    path.write_text(code.replace("true", "True") if suffix == "py" else code, encoding="utf-8")
    volume = Volume(np.arange(12, dtype=np.uint8).reshape(1, 3, 4), (20.0, 4.0, 4.0), ("first",))
    out = session.script(path, image=volume, more=5, note='x"); y')
    assert np.array_equal(out["result"], np.asarray(volume) + 5)
    assert out["result"].voxel_nm == volume.voxel_nm
    assert out["said"].lower() == 'x"); y true'
    assert out["mean"] == 5.5
    assert session.script(path, image=volume, more=0)["said"].lower() == "none true"


def test_outputs_of_many_kinds(session: fiji.Session, tmp_path: Path) -> None:
    path = tmp_path / "kinds.groovy"
    path.write_text(
        "#@ ImagePlus labels\n#@output List many\n#@output Map map\n#@output Integer whole\n#@output ImagePlus same\n"
        "#@output ResultsTable table\n"
        "many = [1, 2.5d, 'x', null, true]\nmap = [a: 1]\nwhole = 3\nsame = labels\n"
        "table = new ij.measure.ResultsTable()\ntable.setValue('Area', 0, 2.0)\n",
        encoding="utf-8",
    )
    labels = Labels(np.array([[[1, 70000]]], np.uint32))
    out = session.script(path, labels=labels)
    assert (out["many"], out["map"], out["whole"]) == ([1, 2.5, "x", None, True], {"a": 1}, 3)
    assert isinstance(out["same"], Labels)
    assert np.array_equal(out["same"], labels)
    assert list(out["table"]["Area"]) == [2.0]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("bad.groovy", "x = 1\n\nthrow new IllegalStateException('no cells')\n", r"no cells at line 3"),
        ("bad.py", "x = 1\n\nx / 0\n", "ZeroDivisionError.* at line 3"),
        ("syntax.groovy", "x = 1\nif (\n", "Unexpected input.* at line 3"),
        ("syntax.py", "x = 1\nif (\n", "SyntaxError.* at line 2"),
    ],
)
def test_a_script_error_has_its_message_and_line(session: fiji.Session, tmp_path: Path, name: str, code: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(code, encoding="utf-8")
    with pytest.raises(FijiError, match=f"(?s)expected {name} to run, got .*{said}"):
        session.script(path)


def test_a_script_that_only_complains_has_not_failed(session: fiji.Session, tmp_path: Path) -> None:
    path = tmp_path / "warn.py"
    path.write_text("#@output String x\nimport sys\nsys.stderr.write('Exception at lunch\\n')\nx = 'done'\n", encoding="utf-8")
    assert session.script(path)["x"] == "done"


def test_inputs_are_given_and_known_and_fit(session: fiji.Session, tmp_path: Path) -> None:
    path = tmp_path / "inputs.groovy"
    path.write_text("#@ Integer n\n#@output Integer m\nm = n\n", encoding="utf-8")
    assert session.script(path, n=7)["m"] == 7
    with pytest.raises(FijiError, match="pass n="):
        session.script(path)
    with pytest.raises(FijiError, match="declare #@"):
        session.script(path, n=7, k=8)
    for wrong in ("seven", 2.5, 2**40):
        with pytest.raises(FijiError, match="convert it first"):
            session.script(path, n=wrong)
    with pytest.raises(FileNotFoundError, match="gone"):
        session.script(tmp_path / "gone.groovy")
    other = tmp_path / "inputs.nolanguage"
    other.write_text("x", encoding="utf-8")
    with pytest.raises(FijiError, match="language"):
        session.script(other)
    other = tmp_path / "unknown.groovy"
    other.write_text("#@ NoSuchType x\n", encoding="utf-8")
    with pytest.raises(FijiError, match="NoSuchType"):
        session.script(other)


def test_text_from_a_command_line_becomes_what_is_wanted(session: fiji.Session, tmp_path: Path) -> None:
    path = tmp_path / "typed.groovy"
    path.write_text("#@ Integer whole\n#@ Double real\n#@ Boolean yes\n#@ String path\n#@ Long keep_\n#@output String said\n"
                    "said = [whole, real, yes, path, keep_].collect { it.getClass().getSimpleName() + it }.join(' ')", encoding="utf-8")
    given = {"whole": "41", "real": "1e-3", "yes": "TRUE", "path": "007", "keep_": " 9007199254740993 "}
    assert session.script(path, **given)["said"] == "Integer41 Double0.001 Booleantrue String007 Long9007199254740993"
    for name, wrong in (("whole", "4.5"), ("whole", "0x10"), ("real", "one"), ("yes", "yes"), ("yes", "")):
        with pytest.raises(FijiError, match=f"input '{name}'"):
            session.script(path, **{**given, name: wrong})
