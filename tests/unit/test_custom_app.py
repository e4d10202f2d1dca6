"""The custom app for Make.com: files its editor takes, which call what the bridge has and name what it answers."""

import json
import re

import pytest

from tests.database.command import columnline, shown
from worker.answers import JobAnswer
from worker.bridge import app
from worker.custom_app import app_files
from worker.errors import ColumnlineError

URL = "https://bridge.test"
DOCUMENT = app.openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
FILES = app_files(URL)
CONTENT = {name: json.loads(text) for name, text in FILES.items() if name.endswith(".json")}
MANIFEST = CONTENT["makecomapp.json"]
COMPONENTS = MANIFEST["components"]
BASE = CONTENT["general/base.iml.json"]
ACTIONS = [name for name, module in COMPONENTS["module"].items() if module["moduleType"] == "action"]
CODES = {
    "connection": {"communication", "params"},
    "webhook": {"communication"},
    "action": {"communication", "staticParams", "mappableParams", "interface", "samples"},
    "instant_trigger": {"staticParams", "interface", "samples"},
}
MAKE_COMS = {
    "400": "BundleValidationError",
    "401": "AccountValidationError",
    "403": "AccountValidationError",
    "404": "BundleValidationError",
    "429": "RateLimitError",
    "503": "ConnectionError",
}
"""How Make.com itself sorts statuses; the last two it tries again by itself."""

every_action = pytest.mark.parametrize("name", ACTIONS)


def code(kind, name, which):
    return CONTENT[COMPONENTS[kind][name]["codeFiles"][which]]


def texts(value):
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def mapped(value, of="parameters"):
    """The names of parameters that a value maps."""
    return {name for text in texts(value) for name in re.findall(rf"\b{of}\.(\w+)", text)}


def operation(communication):
    """The bridge's operation that a communication calls, or None."""
    path = re.sub(r"{{(?:encodeURL\()?parameters\.(\w+)\)?}}", r"{\1}", communication["url"])
    return DOCUMENT["paths"].get(f"/columnline{path}", {}).get(communication["method"].lower())


def schema(reference):
    return SCHEMAS[reference["$ref"].rpartition("/")[2]]


def answered(name):
    """The fields of what the action's operation answers with."""
    (success, *_) = (
        response
        for status, response in operation(code("module", name, "communication"))["responses"].items()
        if status < "300"
    )
    return schema(success["content"]["application/json"]["schema"])["properties"]


def walk(fields):
    for field in fields:
        yield field
        if isinstance(field.get("spec"), list):
            yield from walk(field["spec"])


def test_every_file_is_json_but_the_readme():
    assert set(FILES) - set(CONTENT) == {"README.md"}
    assert all(text.endswith("\n") for text in FILES.values())
    assert all(name == "makecomapp.json" or "/" in name for name in CONTENT)


def test_the_manifest_names_exactly_the_files_there_are():
    assert set(MANIFEST) == {"fileVersion", "generalCodeFiles", "components", "origins"}
    named = list(MANIFEST["generalCodeFiles"].values())
    for components in COMPONENTS.values():
        for component in components.values():
            named += component["codeFiles"].values()
    assert len(named) == len(set(named))
    assert {*named, "makecomapp.json"} == set(FILES)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, components in COMPONENTS.items() for name in components]
)
def test_a_component_has_the_code_files_of_its_kind(kind, name):
    component = COMPONENTS[kind][name]
    assert component["label"]
    assert set(component["codeFiles"]) == CODES[component.get("moduleType", kind)]


def test_components_name_connections_and_hooks_that_there_are():
    for module in COMPONENTS["module"].values():
        assert module.get("connection", "key") in COMPONENTS["connection"]
        assert module.get("webhook", "published") in COMPONENTS["webhook"]
    assert set(ACTIONS) == {"publish", "getJob", "rerun", "reschedule"}


def test_requests_go_to_the_bridges_address_with_the_connections_key():
    assert BASE["baseUrl"] == "https://bridge.test/columnline"
    assert json.loads(app_files("https://a.test/under/")["general/base.iml.json"])["baseUrl"] == (
        "https://a.test/under/columnline"
    )
    assert BASE["headers"]["X-API-Key"] == "{{connection.apiKey}}"
    (asked,) = next(content for name, content in CONTENT.items() if name.startswith("connections/key/pa"))
    assert (asked["name"], asked["type"], asked["required"]) == ("apiKey", "password", True)


def test_no_log_shows_the_key():
    for communication in (BASE, code("connection", "key", "communication")):
        assert "request.headers.x-api-key" in communication["log"]["sanitize"]


def test_a_connection_is_tried_at_a_whole_address_since_it_has_no_base():
    communication = code("connection", "key", "communication")
    assert communication["url"].startswith("https://bridge.test/columnline/")


def test_a_connection_is_tried_by_a_call_that_any_key_may_make():
    communication = code("connection", "key", "communication")
    called = operation(
        communication | {"url": communication["url"].removeprefix("https://bridge.test/columnline")}
    )
    assert called["security"][0]["APIKeyHeader"] == ["read"]
    assert set(communication["qs"]) <= {parameter["name"] for parameter in called["parameters"]}
    assert mapped(communication) == {"apiKey"}


@every_action
def test_an_action_calls_a_path_that_the_bridge_has_with_its_method(name):
    communication = code("module", name, "communication")
    called = operation(communication)
    assert called is not None, communication["url"]
    known = {parameter["name"] for parameter in called["parameters"]}
    assert set(communication.get("qs", {})) <= known
    assert communication["response"] == {"output": "{{body}}"}


@every_action
def test_a_body_field_is_one_that_the_bridge_takes(name):
    communication = code("module", name, "communication")
    called = operation(communication)
    assert ("body" in communication) == ("requestBody" in called)
    if "body" in communication:
        taken = schema(called["requestBody"]["content"]["application/json"]["schema"])["properties"]
        assert set(communication["body"]) <= set(taken)


@every_action
def test_every_parameter_is_asked_for_and_used_and_no_other(name):
    communication = code("module", name, "communication")
    asked = code("module", name, "mappableParams")
    assert [field["name"] for field in asked] == list(dict.fromkeys(field["name"] for field in asked))
    assert {field["name"] for field in asked} == mapped(communication)
    assert all(field["label"] for field in asked)
    assert {field["name"] for field in asked if field.get("required")} >= mapped(communication["url"])


@every_action
def test_a_name_in_a_path_may_hold_any_character(name):
    for parameter in operation(code("module", name, "communication"))["parameters"]:
        if parameter["in"] == "path" and parameter["schema"].get("format") != "uuid":
            assert f"encodeURL(parameters.{parameter['name']})" in code("module", name, "communication")["url"]


def test_a_choice_offers_what_the_bridge_takes():
    (supersede,) = (field for field in code("module", "publish", "mappableParams") if field["name"] == "supersede")
    taken = SCHEMAS["PublishOptions"]["properties"]["supersede"]
    assert {option["value"] for option in supersede["options"]} == set(
        next(one for one in taken["anyOf"] if "enum" in one)["enum"]
    )


def test_a_publish_that_is_watched_can_say_where_to_tell_of_its_end():
    assert "`callback_url` when you publish" in re.sub(r"\s+", " ", FILES["README.md"])
    assert "callback_url" in {field["name"] for field in code("module", "publish", "mappableParams")}


@every_action
def test_what_comes_out_is_named_as_the_bridge_answers_it(name):
    interface, keys = code("module", name, "interface"), answered(name)
    assert {field["name"] for field in interface} <= set(keys)
    assert all(field["label"] for field in interface)
    assert {"ok", "status"} <= {field["name"] for field in interface}
    for field in walk(interface):
        if field["type"] == "boolean":
            assert keys[field["name"]]["type"] == "boolean"


@pytest.mark.parametrize("name", COMPONENTS["module"])
def test_an_example_has_only_what_the_interface_names(name):
    interface = {field["name"]: field["type"] for field in code("module", name, "interface")}
    sample = code("module", name, "samples")
    assert set(sample) <= set(interface)
    assert all(
        (kind == "boolean") == isinstance(sample[key], bool) for key, kind in interface.items() if key in sample
    )


def test_an_error_inside_an_answer_is_named_as_the_bridge_tells_it():
    (error,) = (field for field in code("module", "getJob", "interface") if field["name"] == "error")
    assert {field["name"] for field in error["spec"]} <= set(SCHEMAS["ErrorAnswer"]["properties"])


def test_the_trigger_passes_on_a_callback_which_is_a_job_answer():
    assert code("webhook", "published", "communication") == {"output": "{{body}}"}
    names = {field["name"] for field in code("module", "published", "interface")}
    assert names <= set(JobAnswer.model_fields)
    assert COMPONENTS["module"]["published"]["webhook"] == "published"


def test_a_job_is_asked_for_again_until_it_has_ended_and_each_answer_comes_in_time():
    communication = code("module", "getJob", "communication")
    assert communication["repeat"]["condition"] == "{{!body.done}}"
    assert communication["repeat"]["limit"] * (communication["qs"]["wait"] + 5) < 40 * 60
    for name in ACTIONS:
        assert code("module", name, "communication").get("qs", {}).get("wait", 0) < 40


@pytest.mark.parametrize(("status", "kind"), MAKE_COMS.items())
def test_a_refusal_is_the_kind_of_error_that_make_com_makes_of_its_status(status, kind):
    assert BASE["response"]["error"].get(status, BASE["response"]["error"])["type"] == kind


def test_every_refusal_has_a_sentence_and_no_status_is_one_that_the_bridge_never_sends():
    error = BASE["response"]["error"]
    by_status = {status: one for status, one in error.items() if status.isdecimal()}
    sent = {
        status for path in DOCUMENT["paths"].values() for called in path.values() for status in called["responses"]
    }
    assert set(by_status) <= sent
    assert error["type"] == "RuntimeError", "for every status that is not named"
    for one in (error, *by_status.values()):
        assert set(re.findall(r"body\.(\w+)", one["message"])) <= set(SCHEMAS["Problem"]["properties"])
        assert "{{body.detail}}" in one["message"]
    assert {str(one.status) for one in ColumnlineError.__subclasses__() if hasattr(one, "status")} <= sent


@pytest.mark.parametrize("folder", ["new", "new/and [deep]"])
def test_the_command_writes_every_file(tmp_path, folder):
    said = shown(columnline("make", "app", tmp_path / folder, "--url", URL))
    assert f"{len(FILES)} files" in said
    written = {
        path.relative_to(tmp_path / folder).as_posix(): path.read_text()
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    assert written == FILES
    assert columnline("make", "app", tmp_path / folder, "--url", URL).exit_code == 0, "over what is there"
