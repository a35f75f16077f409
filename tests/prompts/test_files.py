"""Prompts as files: what is written is read as it was, in a form that git shows well; three states are told apart."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmops.errors import ConfigError
from llmops.prompts.diff import unified
from llmops.prompts.files import PromptFiles, read, written
from llmops.prompts.prompt import Content, Message
from llmops.prompts.syncing import Base, Pair, SyncState, There
from llmops.prompts.variables import Variable

words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=80)
contents = st.one_of(
    st.builds(
        Content,
        text=words,
        variables=st.dictionaries(
            st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.builds(Variable, description=words), max_size=2
        ),
        config=st.dictionaries(words, st.one_of(words, st.integers(-9, 9), st.booleans()), max_size=2),
    ),
    st.builds(
        Content,
        kind=st.just("chat"),
        messages=st.lists(st.builds(Message, st.sampled_from(("system", "user")), words), min_size=1, max_size=3).map(
            tuple
        ),
    ),
)


@given(contents)
@example(Content(kind="chat", messages=(Message("system", "next\x85line, \u2028 and \u2029"),)))
def test_what_is_written_is_read_as_it_was(content: Content) -> None:
    assert read(written(content), ".md" if content.kind == "text" else ".yaml", "a").digest == content.digest


def test_a_file_is_for_people() -> None:
    content = Content(
        text="Dear {{customer}},\n\nyours\n",
        variables={"customer": Variable(type="string", max_length=9)},
        config={"model": "mock"},
    )
    assert written(content) == (
        "---\nvariables:\n  customer:\n    type: string\n    max_length: 9\nconfig:\n  model: mock\n---\n"
        "Dear {{customer}},\n\nyours\n\n"
    )
    chat = Content(kind="chat", messages=(Message("system", "one\ntwo\n"), Message(placeholder="history")))
    assert written(chat) == ("messages:\n- role: system\n  content: |\n    one\n    two\n- placeholder: history\n")
    assert read("just text\n", ".md", "a") == Content(text="just text")
    assert read("text: hi\nvariables: {x: string, y: }\n", ".yaml", "a").variables["x"] == Variable(type="string")


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        ("---\nvariables: {x: string}\nno end", ".md", "has no end"),
        ("---\n- 1\n---\nx", ".md", "must be a mapping"),
        ("messages: [", ".yaml", "a:"),
        ("- 1", ".yaml", "must be a mapping"),
        ("text: x\nwrong: 1", ".yaml", "wrong"),
        ("variables: {x: {type: date}}\ntext: x", ".yaml", "date"),
        ("text: !!python/object/apply:os.system ['id']", ".yaml", "constructor"),
        ("messages:\n- role: robot\n  content: x", ".yaml", "robot"),
    ],
)
def test_an_unusable_file_is_told(text: str, suffix: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text, suffix, "a")
    assert said in str(raised.value)


def test_files_below_the_folder_and_nothing_else(tmp_path: Path) -> None:
    files = PromptFiles(tmp_path)
    assert files.names() == {}
    path = files.write("a/b", Content(text="x"), None)
    assert path == tmp_path / "a" / "b.md" and files.read("a/b", path) == Content(text="x")
    chat = Content(kind="chat", messages=(Message("user", "x"),))
    assert files.write("a/b", chat, path).suffix == ".yaml" and not path.exists()
    for ignored in ("README.md", ".hidden.md", "notes.txt"):
        (tmp_path / ignored).write_text("x")
    assert list(files.names()) == ["a/b"]
    (tmp_path / "a" / "b.md").write_text("x")
    with pytest.raises(ConfigError, match="two files"):
        files.names()


A, B, C = (Content(text=each) for each in "abc")


@pytest.mark.parametrize(
    ("here", "there", "base", "state"),
    [
        (A, A, A, "in step"),
        (A, A, None, "in step"),
        (A, A, B, "in step"),
        (A, None, None, "new file"),
        (None, A, None, "new"),
        (B, A, A, "file changed"),
        (A, B, A, "new version"),
        (A, B, C, "conflict"),
        (A, B, None, "conflict"),
        (None, A, A, "file removed"),
        (None, A, B, "conflict"),
        (A, None, A, "prompt removed"),
        (A, None, B, "conflict"),
    ],
)
def test_three_states_tell_who_has_changed_what(here: Any, there: Any, base: Any, state: str) -> None:
    pair = Pair(
        "a", here, There(there, there.digest, 1, "ann") if there else None, Base(base.digest, 1) if base else None
    )
    assert pair.state == state


def test_what_was_in_step_is_kept_beside_the_files(tmp_path: Path) -> None:
    state = SyncState(tmp_path, "acme")
    state.note("a", Base("d", 1))
    state.save()
    assert SyncState(tmp_path, "acme").known == {"a": Base("d", 1)} and not SyncState(tmp_path, "other").known
    (tmp_path / ".sync.json").write_text("{")
    with pytest.raises(ConfigError, match="remove it"):
        SyncState(tmp_path, "acme")


def test_differences_are_those_of_files() -> None:
    assert unified("a\nb\n", "a\nc\n", ("x", "y")).splitlines()[-2:] == ["-b", "+c"]
    assert unified("same", "same", ("x", "y")) == ""
    assert "+new" in unified("old\n" * 9000, "new\n" * 9000, ("x", "y"))
