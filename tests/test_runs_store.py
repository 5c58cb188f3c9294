"""The run folder: whole files or none, null where a column does not apply, one row per key."""

import errno
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from semhub.errors import BadInput, RunMismatch, SemhubError, UserError
from semhub.runs import store
from semhub.types import COLUMNS, KEY, Outcome, Reading


def reading(**columns) -> Reading:
    return Reading(
        **{"task": "t/a", "protocol": "sound", "model": "m", "measure": "adjusted_cosine", "layer": 1, "value": 0.5, "n": 3} | columns
    )


def outcome(**columns) -> Outcome:
    return Outcome(**{"task": "t/a", "protocol": "sound", "model": "m", "measure": "adjusted_cosine", "item": "i1", "value": 0.5} | columns)


def write(folder, name="t-a@m", readings=None, outcomes=None, extras=None):
    readings = [reading()] if readings is None else readings
    store.write_part(folder, name, readings, [outcome()] if outcomes is None else outcomes, extras or {}, {"task": "t/a"})


def test_columns_are_those_of_the_contract_and_null_where_they_do_not_apply(tmp_path):
    write(tmp_path, readings=[reading(), reading(layer=None, strength=np.float32(0.5), seed=np.int64(3), low=None)])
    store.gather(tmp_path, ["t-a@m"])
    frame = pd.read_parquet(tmp_path / "readings.parquet")
    assert tuple(frame.columns) == COLUMNS
    assert frame["layer"].isna().tolist() == [False, True]
    assert frame["strength"].isna().tolist() == [True, False]
    assert frame["group"].isna().all()
    assert frame["seed"].tolist()[1] == 3


def test_columns_keep_their_type_when_all_of_them_are_null(tmp_path):
    write(tmp_path, readings=[reading(layer=None)], outcomes=[])
    table = store.gather(tmp_path, ["t-a@m"])
    assert table.schema.equals(store.READINGS)


@pytest.mark.parametrize("column", KEY)
def test_a_row_is_unique_by_every_column_of_the_key(tmp_path, column):
    other = reading(**{column: 9 if column in ("layer", "seed", "strength") else "other"})
    write(tmp_path, readings=[reading(), other])
    assert len(store.gather(tmp_path, ["t-a@m"])) == 2


def test_two_rows_of_one_key_are_refused_within_a_part(tmp_path):
    with pytest.raises(SemhubError, match="same key") as caught:
        write(tmp_path, readings=[reading(value=0.1), reading(value=0.2)])
    assert not isinstance(caught.value, UserError)
    assert not store.finished(tmp_path, "t-a@m")


def test_two_rows_of_one_key_are_refused_across_parts(tmp_path):
    write(tmp_path, "one", readings=[reading(group=None)])
    write(tmp_path, "two", readings=[reading(group=None, value=0.1)])
    with pytest.raises(SemhubError, match="Two parts"):
        store.gather(tmp_path, ["one", "two"])
    assert not (tmp_path / "readings.parquet").exists()


@pytest.mark.parametrize("suffix", [*store.SUFFIXES, ".done"])
def test_a_part_without_one_of_its_files_is_not_finished(tmp_path, suffix):
    write(tmp_path)
    assert store.finished(tmp_path, "t-a@m")
    (tmp_path / "parts" / f"t-a@m{suffix}").unlink()
    assert not store.finished(tmp_path, "t-a@m")


def test_a_cut_off_file_is_not_finished(tmp_path):
    write(tmp_path)
    path = tmp_path / "parts" / "t-a@m.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert not store.finished(tmp_path, "t-a@m")


def test_done_is_written_last(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(store, "write_whole", lambda path, content: written.append(path.name))
    write(tmp_path)
    assert written == ["t-a@m.parquet", "t-a@m.outcomes.parquet", "t-a@m.json", "t-a@m.done"]


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    store.write_whole(path, b"before")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full") as caught:
        store.write_whole(path, b"after")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"), store.claimed(tmp_path / "file" / "run"):
        pass


def test_two_runs_do_not_share_a_folder(tmp_path):
    with store.claimed(tmp_path):
        with pytest.raises(RunMismatch, match="Another run"), store.claimed(tmp_path):
            pass
    with store.claimed(tmp_path):
        pass


def test_a_folder_of_something_else_is_refused(tmp_path):
    store.foreign(tmp_path)
    (tmp_path / ".spec.json.tmp").write_text("left by a killed run")
    store.foreign(tmp_path)
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(RunMismatch, match="no run folder"):
        store.foreign(tmp_path)


def test_extras_are_read_back_by_part(tmp_path):
    write(tmp_path, "t-a@Llama-3.1-8B", extras={"words": ["中文"]})
    assert store.extras(tmp_path) == {"t-a@Llama-3.1-8B": {"words": ["中文"]}}


def test_reading_an_unfinished_folder_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="not finished"):
        store.readings(tmp_path)


def test_part_names_can_be_read_and_stay_short():
    assert store.part_name("multilingual/similarity", "meta-llama/Llama-3.1-8B") == "multilingual-similarity@meta-llama-Llama-3.1-8B"
    assert len(store.slug("/a" * 500)) <= 80
    assert store.slug("../..") == "unnamed"


def test_two_processes_write_the_same_file(tmp_path):
    code = "import sys; from pathlib import Path; from semhub.runs import store\n"
    code += "for i in range(150): store.write_whole(Path(sys.argv[1]), sys.argv[2].encode() * 2000)"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "tokens.json"), mark]) for mark in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0], "neither takes the other's file away"
    assert set((tmp_path / "tokens.json").read_text()) in ({"a"}, {"b"}) and [each.name for each in tmp_path.iterdir()] == ["tokens.json"]
