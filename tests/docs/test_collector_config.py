"""``configs/openllmetry-collector-config.yaml`` against what the collector's documentation allows, part by part.

The collector itself is no package that can be installed here: what it would refuse at its start is checked instead:
unknown keys, wrong types, components that are named and not there, and those that are there and not named.
"""

import re
from typing import Any

import pytest
import yaml

from tests.serving import ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "configs/openllmetry-collector-config.yaml").read_text())
TEXT, NUMBER, FLAG, TIME = "text", "number", "flag", "time"
QUEUE = {"enabled": FLAG, "num_consumers": NUMBER, "queue_size": NUMBER, "storage": TEXT, "batch": {}}
RETRY = {
    "enabled": FLAG,
    "initial_interval": TIME,
    "max_interval": TIME,
    "max_elapsed_time": TIME,
    "multiplier": NUMBER,
    "randomization_factor": NUMBER,
}
#: The keys of each kind of component that its documentation has.
COMPONENTS: dict[str, dict[str, dict[str, Any]]] = {
    "extensions": {
        "health_check": {"endpoint": TEXT, "path": TEXT},
        "file_storage": {"directory": TEXT, "create_directory": FLAG, "timeout": TIME},
    },
    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": TEXT}, "http": {"endpoint": TEXT}}}},
    "processors": {
        "memory_limiter": {
            "check_interval": TIME,
            "limit_mib": NUMBER,
            "limit_percentage": NUMBER,
            "spike_limit_percentage": NUMBER,
        },
        "batch": {"send_batch_size": NUMBER, "send_batch_max_size": NUMBER, "timeout": TIME},
        "resource": {"attributes": [{"key": TEXT, "value": TEXT, "action": TEXT}]},
        "attributes": {"actions": [{"key": TEXT, "pattern": TEXT, "value": TEXT, "action": TEXT}]},
    },
    "exporters": {
        "otlphttp": {
            "endpoint": TEXT,
            "traces_endpoint": TEXT,
            "compression": TEXT,
            "headers": {"*": TEXT},
            "sending_queue": QUEUE,
            "retry_on_failure": RETRY,
        }
    },
}
ACTIONS = {"insert", "update", "upsert", "delete", "hash", "extract", "convert"}


def problems(value: Any, shape: Any, where: str) -> list[str]:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where}: is no mapping"]
        found = []
        for key, inner in value.items():
            wanted = shape.get(key, shape.get("*"))
            found += problems(inner, wanted, f"{where}.{key}") if wanted is not None else [f"{where}.{key}: unknown"]
        return found
    if isinstance(shape, list):
        return [each for place, inner in enumerate(value) for each in problems(inner, shape[0], f"{where}[{place}]")]
    right = {
        TEXT: isinstance(value, str) and value != "",
        NUMBER: isinstance(value, int) and not isinstance(value, bool),
        FLAG: isinstance(value, bool),
        TIME: isinstance(value, str) and re.fullmatch(r"\d+(ms|s|m|h)", value) is not None,
    }
    return [] if right[shape] else [f"{where}: {value!r} is no {shape}"]


def test_it_has_the_sections_of_a_collector() -> None:
    assert set(CONFIG) == {"extensions", "receivers", "processors", "exporters", "service"}
    assert set(CONFIG["service"]) == {"extensions", "pipelines"}


@pytest.mark.parametrize("section", COMPONENTS)
def test_every_component_is_as_its_documentation_says(section: str) -> None:
    for name, settings in CONFIG[section].items():
        shape = COMPONENTS[section].get(name.partition("/")[0])
        assert shape is not None, f"{section}.{name} is no kind that is known"
        assert problems(settings, shape, f"{section}.{name}") == []


def test_pipelines_and_components_name_each_other() -> None:
    used: dict[str, set[str]] = {"extensions": set(CONFIG["service"]["extensions"])}
    for name, pipeline in CONFIG["service"]["pipelines"].items():
        assert name.partition("/")[0] == "traces" and set(pipeline) == {"receivers", "processors", "exporters"}
        assert pipeline["processors"][0] == "memory_limiter" and pipeline["processors"][-1] == "batch"
        for section, names in pipeline.items():
            used.setdefault(section, set()).update(names)
    assert used == {section: set(CONFIG[section]) for section in COMPONENTS}
    stores = {each["sending_queue"]["storage"] for each in CONFIG["exporters"].values()}
    assert stores <= set(CONFIG["extensions"])


def test_texts_are_taken_out_before_they_leave() -> None:
    patterns = [each["pattern"] for each in CONFIG["processors"]["attributes/private"]["actions"]]
    assert {each["action"] for each in CONFIG["processors"]["attributes/private"]["actions"]} <= ACTIONS
    for name in (
        *("gen_ai.input.messages", "gen_ai.prompt.0.content", "gen_ai.completion", "gen_ai.tool.call.result"),
        *("traceloop.entity.input", "input.value", "llm.output_messages.0.message.content"),
    ):
        assert any(re.search(pattern, name) for pattern in patterns), name
    for name in ("gen_ai.request.model", "gen_ai.prompt_name", "gen_ai.usage.input_tokens", "session.id"):
        assert not any(re.search(pattern, name) for pattern in patterns), name
    assert "attributes/private" in CONFIG["service"]["pipelines"]["traces/tools"]["processors"]


def test_no_secret_stands_in_it_and_it_listens_to_this_machine_alone() -> None:
    for exporter in CONFIG["exporters"].values():
        assert exporter.get("endpoint", exporter.get("traces_endpoint", "")).startswith("${env:")
        for value in exporter["headers"].values():
            assert "${env:" in value or value == "4"
    protocols = CONFIG["receivers"]["otlp"]["protocols"].values()
    assert all(each["endpoint"].startswith("127.0.0.1:") for each in protocols)
