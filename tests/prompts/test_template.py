"""Templates: what they say with values in them, and what is no template, with line and column."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.prompts.prompt import Content, Message
from llmops.prompts.render import Caps, Compiled, checked_content
from llmops.prompts.template import MAX_CHARS, Template
from llmops.prompts.variables import Variable


@pytest.mark.parametrize(
    ("template", "values", "wanted"),
    [
        ("plain", {}, "plain"),
        ("", {}, ""),
        ("Hi {{name}}!", {"name": "Ann"}, "Hi Ann!"),
        ("{{ a }}{{a}}{{\tb\n}}", {"a": "1", "b": "2"}, "112"),
        ('{"a": {"b": {{x}} }}', {"x": "7"}, '{"a": {"b": 7 }}'),
        ("two \\{{ braces }} and {{x}}", {"x": "1"}, "two {{ braces }} and 1"),
        ("{{x}}", {"x": "{{x}} {{y}} \\{{ {% 1 %} ${x}"}, "{{x}} {{y}} \\{{ {% 1 %} ${x}"),
        ("a }} b } c { d", {}, "a }} b } c { d"),
        ("\u202e{{x}}\u202c", {"x": "<b>&\x00"}, "\u202e<b>&\x00\u202c"),
    ],
)
def test_a_template_is_its_text_with_values_in_it(template: str, values: dict[str, str], wanted: str) -> None:
    assert Template(template).render(values) == wanted


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{", "line 1, column 1: '{{' is not closed"),
        ("ab\ncd {{name", "line 2, column 4: '{{' is not closed"),
        ("{{a {{b}}", "line 1, column 1: '{{' is not closed"),
        ("{{{a}}}", "line 1, column 1: three braces"),
        ("{{" * 50_000, "three braces in a row"),
        ("{{}}", "'' is no variable's name"),
        ("{{#if a}}x{{/if}}", "'#if a' is no variable's name"),
        ("{{a.b}}", "'a.b' is no variable's name"),
        ("{{a|upper}}", "no logic"),
        ("{{7*7}}", "no variable's name"),
        ("{{" + "a" * 65 + "}}", "no variable's name"),
        ("{{" + "a" * 1000 + "}}", "not closed"),
        ("{{> other}}", "cannot be included here"),
        ("{{a}}" * 10_001, "more than 10,000 variables"),
        ("x" * (MAX_CHARS + 1), "at most 256,000"),
    ],
)
def test_what_is_no_template_is_told_with_its_place(template: str, said: str) -> None:
    began_s = time.perf_counter()
    with pytest.raises(InvalidRequest) as raised:
        Template(template)
    assert said in raised.value.message and len(raised.value.message) < 400
    assert time.perf_counter() - began_s < 2


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_is_a_template_or_refused_and_a_value_stays_itself(words: str, value: str) -> None:
    """A value comes out as it went in, whatever stands around it."""
    try:
        template = Template(words + " {{x}}")
    except InvalidRequest:
        return
    rendered = template.render(dict.fromkeys(template.names, value))
    assert rendered.endswith(" " + value)


def compiled(variables: dict[str, Variable] | None = None, words: str = "{{x}}") -> Compiled:
    made = Compiled(Content(text=words, variables=variables or {}))
    made.check()
    return made


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("string", "text", 7),
        ("integer", 7, True),
        ("integer", -1, 1.5),
        ("number", 1.5, "1.5"),
        ("number", 7, False),
        ("boolean", False, 0),
        ("list", [1, {"a": None}], {"a": 1}),
        ("object", {"a": [1]}, [1]),
        ("any", [1], None),
    ],
)
def test_a_value_has_the_type_that_its_variable_declares(type_: Any, good: Any, bad: Any) -> None:
    prompt = compiled({"x": Variable(type=type_)})
    assert prompt.render({"x": good}).text
    with pytest.raises(InvalidRequest, match="'x'"):
        prompt.render({"x": bad})


def test_defaults_choices_lengths_and_what_may_be_left_out() -> None:
    prompt = compiled(
        {
            "a": Variable(type="string", default="d", enum=("d", "e")),
            "b": Variable(type="list", required=False),
            "c": Variable(type="string", max_length=3, required=False),
        },
        "{{a}}{{b}}{{c}}",
    )
    assert prompt.render({}).text == "d[]"
    assert prompt.render({"a": "e", "b": [1, "é"], "c": "xyz"}).text == 'e[1,"é"]xyz'
    for given_, said in (
        ({"a": "f"}, "must be one of 'd', 'e'; it is 'f'"),
        ({"c": "long"}, "has 4 characters; at most 3"),
        ({"z": 1}, "no variable 'z'; it has: a, b, c"),
    ):
        with pytest.raises(InvalidRequest) as raised:
            prompt.render(given_)
        assert said in raised.value.message


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"y": Variable()}, "uses 'x', which `variables` does not declare"),
        ({"x": Variable(type="string", default=7)}, "must be a string, not 7"),
        ({"x": Variable(type="string", enum=("a",), default="b")}, "must be one of 'a'"),
        ({"x": Variable(enum=())}, "at least one"),
        ({"x": Variable(max_length=0)}, "at least 1"),
    ],
)
def test_declarations_that_contradict_themselves_are_not_published(variables: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        compiled(variables)
    assert said in raised.value.message


def test_what_is_rendered_is_bounded() -> None:
    caps = Caps(value_chars=10, output_chars=15)
    with pytest.raises(InvalidRequest, match="11 characters; at most 10"):
        compiled().render({"x": "y" * 11}, caps)
    with pytest.raises(InvalidRequest, match="20 characters; at most 15"):
        compiled(words="{{x}}{{x}}").render({"x": "y" * 10}, caps)
    with pytest.raises(InvalidRequest, match="at most 10"):
        compiled().render({"x": ["y" * 11]}, caps)


def test_a_placeholders_messages_are_put_in_as_they_were_given() -> None:
    content = Content(
        kind="chat",
        messages=(Message("system", "For {{who}}"), Message(placeholder="history"), Message("user", "{{who}}?")),
    )
    checked_content(content)
    prompt = Compiled(content)
    prompt.check()
    before = {"role": "user", "content": "{{who}}", "name": "x"}
    rendered = prompt.render({"who": "Ann", "history": [before]})
    assert rendered.messages == [{"role": "system", "content": "For Ann"}, before, {"role": "user", "content": "Ann?"}]
    assert len(prompt.render({"who": "Ann"}).messages) == 2
    with pytest.raises(InvalidRequest, match="a list of messages"):
        prompt.render({"who": "Ann", "history": ["no message"]})


@pytest.mark.parametrize(
    "content",
    [
        Content(text=" \n"),
        Content(kind="chat"),
        Content(kind="chat", text="x", messages=(Message("user", "x"),)),
        Content(text="x", messages=(Message("user", "x"),)),
        Content(kind="chat", messages=(Message(),)),
        Content(kind="chat", messages=(Message("user", placeholder="x"),)),
        Content(kind="chat", messages=(Message(placeholder="no name"),)),
    ],
)
def test_contents_that_contradict_themselves_are_refused(content: Content) -> None:
    with pytest.raises(InvalidRequest):
        checked_content(content)
