"""Files of cases: what goes out comes back, in every format; what is wrong is told with its line and value."""

import json
import time
from pathlib import Path

import pytest

from llmops.errors import ConfigError, InvalidRequest
from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.datasets.formats import registry
from llmops.evals.datasets.mapping import columns_of
from llmops.evals.datasets.report import Report, no_progress

HOSTILE = [
    Case(id="a", input="<script>alert(1)</script>\u202e", reference="1,000", metadata={"n": 1, "t": "x"}, split="dev"),
    Case(id="b", input=[{"role": "user", "content": 'say "hi"\n\t,;'}], reference=["x"], cluster="c", must_pass=True),
    Case(id="c", input={"q": "[1]", "deep": [None, {"a": 2.5}]}, reference={"answer": "[not json"}, split="test"),
    Case(id="d", input='{"looks": "like JSON"}', reference="42"),
    Case(id="e", input='"quoted"', reference="[1]", metadata={"empty": "", "nul": "\0"}),
    Case(id="f", input="x" * 1_000_000, reference="ß漢" * 1000, split="train"),
    Case(id="g", input="2026-01-01", reference="true", metadata={"when": "2026-01-01", "yes": "yes", "1": None}),
    Case(id="007", input="", reference="null"),
]  # fmt: skip


def read(path: Path, name: str | None = None, report: Report | None = None, **columns: str) -> list[Case]:
    report = report or Report(str(path))
    return list(registry.reader(name, path)(path, report, columns, no_progress))


@pytest.mark.parametrize("name", ["jsonl", "csv", "yaml", "hf", "hf-parquet"])
def test_what_goes_out_comes_back(name: str, tmp_path: Path) -> None:
    if name == "hf-parquet":
        pytest.importorskip("pyarrow")
    path, report = tmp_path / f"out.{name}", Report("export")
    cases = [case for case in HOSTILE if case.split] if name.startswith("hf") else HOSTILE
    assert registry.write(name, lambda: iter(cases), path, report) == len(cases)
    found = read(path, name.removesuffix("-parquet"))
    assert {case.id: case for case in found} == {case.id: case for case in cases}
    assert Dataset("x", found).version == Dataset("x", cases).version
    with pytest.raises(ConfigError, match="File exists"):
        registry.write(name, lambda: iter(cases), path, report)


def test_a_case_without_a_split_keeps_none_in_a_folder(tmp_path: Path) -> None:
    report = Report("x")
    registry.write(
        "hf", lambda: iter([Case(id="a", input=1), Case(id="b", input=2, split="dev")]), tmp_path / "f", report
    )
    assert "no split" in report.notes[0]
    assert sorted((each.id, each.split) for each in read(tmp_path / "f")) == [("a", None), ("b", "dev")]
    info = json.loads((tmp_path / "f/dataset_info.json").read_text())
    assert info["splits"]["validation"]["num_examples"] == 1


def test_rows_of_anybody_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '\ufeff{"question": "q?", "answer": "a", "topic": "t", "split": "validation"}\n\n'
        '{"question": "q?", "answer": "a", "extra": {"k": [1]}, "id": 7}\n{"question": "q?", "answer": "a"}\n'
    )
    first, second, third = read(path)
    assert (first.input, first.reference, first.split, first.metadata) == ("q?", "a", "dev", {"topic": "t"})
    assert second.id == "7" and second.metadata == {"extra": {"k": [1]}}
    assert third.id.startswith(first.id) and third.id != first.id, "the same content twice has two ids"
    assert read(path)[0].id == first.id
    mapped = tmp_path / "mapped.csv"
    mapped.write_text('\ufeffText,Gold,lang\nhello,"[""a"",""b""]",de\n')
    (only,) = read(mapped, **columns_of(["input=Text", "reference=Gold", "cluster=lang"]))
    assert (only.input, only.reference, only.cluster, only.metadata) == ("hello", ["a", "b"], "de", {})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"input": 1}\n{"input": \n', r"line 2: '\{\"input\":': is no JSON"),
        ("a.jsonl", '{"x": 1}\n[1]\n', r"line 1: has no 'input'; its fields are \['x'\]"),
        ("a.jsonl", '{"input": 1, "metadata": 7}\n', "line 1: metadata 7: must be an object"),
        ("a.jsonl", '{"input": 1, "must_pass": "maybe"}\n', "line 1: Expected `bool`"),
        ("a.jsonl", '{"input": "\\ud800"}\n', "line 1: .*is no JSON"),
        ("a.jsonl", "[" * 100_000, "is no JSON|line 1"),
        ("a.jsonl", '{"input": ' + "[" * 5000 + "]" * 5000 + "}\n", "line 1"),
        ("a.csv", "", "no first line"),
        ("a.csv", "id,id\n1,2\n", "'id' is there twice"),
        ("a.csv", "id,input\n1\n", "line 2: 1 cells; the first line names 2"),
        ("a.csv", 'id,input\n1,"open\n', "is no CSV"),
        ("a.csv", b"id,input\n1,\xff\n", "is no CSV in UTF-8"),
        ("a.yaml", "cases: 7\n", "must be a list"),
        ("a.yaml", "- input: 1\n- 7\n", "line 2: 7: must be an object"),
        ("a.yaml", "- input: 1\n  input: 2\n", "line 2: the key 'input' is there twice"),
        ("a.yaml", "- input: &a [*a]\n", "refers to itself|is no YAML"),
        ("a.yaml", "- !!python/object/apply:os.system [ls]\n", "is no YAML|could not determine|must be an object"),
        ("a.yaml", "", "is empty"),
        ("a.gsm8k", '{"question": "q", "answer": "none"}\n', "must end in a line such as '#### 42'"),
        ("a.openai", '{"messages": [7]}\n', "must be a list of"),
        ("a.openai", '{"input": "x", "preferred_output": []}\n', "compares two answers"),
        ("a.promptfoo", "tests: []\n", "no configuration of promptfoo"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(name: str, text: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    kind = path.suffix[1:]
    with pytest.raises(ConfigError, match=said):
        read(path, kind)


def test_many_problems_are_told_together_and_not_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("x\n" * 5000)
    with pytest.raises(ConfigError) as told:
        read(path)
    assert len(told.value.problems) == 21 and "more" in told.value.problems[-1]
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.jsonl", "jsonl")
    with pytest.raises(InvalidRequest, match="'docx': must be one of jsonl"):
        registry.reader("docx", path)
    with pytest.raises(InvalidRequest, match="FIELD=COLUMN"):
        columns_of(["question"])


def test_a_bomb_of_aliases_does_not_go_off(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    levels = ["- input: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"- input: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(levels))
    with pytest.raises(ConfigError, match="unfolds to over"):
        read(path)


def test_openai_rows(tmp_path: Path) -> None:
    path, system = tmp_path / "rows.jsonl", {"role": "system", "content": "s"}
    user = {"role": "user", "content": "q"}
    path.write_text(
        "\n".join(
            json.dumps(row)
            for row in (
                {"messages": [system, user, {"role": "assistant", "content": "a", "weight": 1}], "tools": []},
                {"input": [user], "ideal": ["a", "b"]},
                {"messages": [user]},
            )
        )
    )
    tuned, graded, open_ended = read(path)
    assert tuned.input == [system, user] and tuned.reference == "a"
    assert tuned.metadata == {"tools": [], "reference_weight": 1}
    assert graded.reference == ["a", "b"] and open_ended.reference is None and open_ended.input == [user]
    report = Report("x")
    assert (
        registry.write("openai-chat", lambda: iter([tuned, graded, open_ended]), tmp_path / "chat.jsonl", report) == 2
    )
    assert any("its reference is no text (1 times" in note for note in report.notes)
    assert any("only the first of several references" in note for note in report.notes)
    registry.write("openai-evals", lambda: iter([graded]), tmp_path / "evals.jsonl", report)
    assert read(tmp_path / "evals.jsonl")[0].reference == ["a", "b"]


def test_gsm8k(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps({"question": "How many?", "answer": "6*7=42\nso\n#### 1,042"}) + "\n")
    (case,) = read(path)
    assert (case.input, case.reference) == ("How many?", "1042") and case.metadata["solution"].endswith("#### 1,042")


def test_long_files_are_read_as_a_stream_with_progress(tmp_path: Path) -> None:
    path, told = tmp_path / "long.jsonl", []
    with path.open("w") as file:
        for number in range(100_000):
            file.write(f'{{"id": "{number}", "input": "question {number}"}}\n')
    began = time.process_time()
    reading = registry.reader(None, path)(path, Report("x"), None, lambda done, all_: told.append((done, all_)))
    assert next(reading).id == "0" and not told, "the first is there before the last is read"
    assert sum(1 for _ in reading) == 99_999 and told[-1] == (path.stat().st_size, path.stat().st_size)
    assert time.process_time() - began < 30
