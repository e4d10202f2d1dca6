"""Scenarios for Make.com: of the shape its import takes, calling what the bridge has, reading what it answers."""

import itertools
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.database.command import columnline, told
from worker.answers import JobAnswer
from worker.bridge import app
from worker.cli.make import Blueprint
from worker.fields import MAX_WAIT
from worker.scenarios import blueprint

URL = "https://bridge.test"
DOCUMENT = app.openapi()
SENT_TO_MAKE = {"client_id", "run_id", "seed", "rerun_of_dossier_id", "supersedes_run_id", "agents"}
FLAGS = {
    "roundtrips": int,
    "maxErrors": int,
    "autoCommit": bool,
    "autoCommitTriggerLast": bool,
    "sequential": bool,
    "confidential": bool,
    "dataloss": bool,
    "dlq": bool,
    "freshVariables": bool,
}
MODULE = {"id", "module", "version", "parameters", "mapper", "metadata"}
HTTP = "http:MakeRequest"
HTTP_PARAMETERS = {"authenticationType", "apiKeyKeychain", "tlsType", "proxyKeychain"}
HTTP_MAPPER = {
    "url",
    "method",
    "headers",
    "parseResponse",
    "stopOnHttpError",
    "allowRedirects",
    "shareCookies",
    "requestCompressedContent",
    "timeout",
}
HTTP_BODY = {"inputMethod", "jsonStringBodyContent"}
KNOWN = {
    "gateway:CustomWebHook",
    "gateway:WebhookRespond",
    HTTP,
    "builtin:BasicRepeater",
    "util:GetVariable2",
    "util:SetVariable2",
}

every_scenario = pytest.mark.parametrize("name", [name.value for name in Blueprint])


def flow(name):
    return blueprint(name, URL)["flow"]


def modules(name, kind):
    return [module for module in flow(name) if module["module"] == kind]


def texts(value):
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def references(module):
    """What a module maps from others: number of the module, path in its output."""
    mapped = [module["mapper"], module.get("filter", {})]
    for text in texts(mapped):
        for number, path in re.findall(r"{{(?:encodeURL\()?(\d+)\.([\w.]+)\)?}}", text):
            yield int(number), path


def called(name, module):
    """The operation of the bridge that an HTTP module calls."""
    url = module["mapper"]["url"]
    if url.startswith("{{"):
        number, path = next(references(module))
        assert path == "data.status_url", "the one address that the bridge answers with"
        assert flow(name)[number - 1]["module"] == HTTP
        return DOCUMENT["paths"]["/columnline/jobs/{job_id}"].get(module["mapper"]["method"])
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "bridge.test")
    assert not re.search(r"{{\d", parts.path), "a run id may hold what a path gives a meaning to"
    path = re.sub(r"{{encodeURL\(\d+\.(\w+)\)}}", r"{\1}", parts.path)
    return DOCUMENT["paths"].get(path, {}).get(module["mapper"]["method"])


def calls(name):
    return [(module, called(name, module)) for module in modules(name, HTTP)]


@every_scenario
def test_a_scenario_has_a_name_a_flow_and_the_flags_that_keep_what_fails(name):
    made = blueprint(name, URL)
    assert set(made) == {"name", "flow", "metadata"}
    assert made["name"].startswith("Columnline: ")
    assert set(made["metadata"]) == {"instant", "version", "scenario", "designer"}
    assert (made["metadata"]["instant"], made["metadata"]["version"]) == (True, 1)
    assert made["metadata"]["designer"] == {"orphans": []}
    flags = made["metadata"]["scenario"]
    assert {flag: type(value) for flag, value in flags.items()} == FLAGS
    assert (flags["dlq"], flags["dataloss"], flags["confidential"], flags["roundtrips"]) == (True, False, False, 1)


@every_scenario
def test_modules_stand_in_a_row_with_ids_in_order_and_names_of_their_own(name):
    found = flow(name)
    assert [module["id"] for module in found] == list(range(1, len(found) + 1))
    for place, module in enumerate(found):
        assert set(module) - {"filter", "onerror"} == MODULE
        assert module["module"] in KNOWN
        designer = module["metadata"]["designer"]
        assert (designer["x"], designer["y"]) == (300 * place, 0)
    names = [module["metadata"]["designer"]["name"] for module in found]
    assert len(set(names)) == len(names)


@every_scenario
def test_a_handler_stands_below_its_module_and_no_id_is_used_twice(name):
    handlers = [(module, handler) for module in flow(name) for handler in module.get("onerror", [])]
    for module, handler in handlers:
        assert set(handler) == MODULE
        above, below = module["metadata"]["designer"], handler["metadata"]["designer"]
        assert (below["x"], below["y"]) == (above["x"], 300)
    ids = [*(module["id"] for module in flow(name)), *(handler["id"] for _, handler in handlers)]
    assert sorted(ids) == list(range(1, len(ids) + 1))


@every_scenario
def test_a_scenario_begins_with_a_hook_that_is_made_at_the_import(name):
    hook, *others = flow(name)
    assert (hook["module"], hook["version"], hook["parameters"], hook["mapper"]) == (
        "gateway:CustomWebHook",
        1,
        {},
        {},
    )
    assert all(module["module"] != "gateway:CustomWebHook" for module in others)


@every_scenario
def test_every_request_is_the_http_module_with_a_keychain_and_no_key_in_the_clear(name):
    assert modules(name, HTTP)
    for module in modules(name, HTTP):
        mapper, parameters = module["mapper"], module["parameters"]
        assert module["version"] == 4
        assert set(parameters) == HTTP_PARAMETERS
        assert (parameters["authenticationType"], parameters["apiKeyKeychain"]) == ("apiKey", "__IMTKEY__")
        assert set(mapper) - HTTP_BODY == HTTP_MAPPER
        assert {"name": "Content-Type", "value": "application/json"} in mapper["headers"]
        assert mapper["parseResponse"] is mapper["stopOnHttpError"] is True
        assert mapper["allowRedirects"] is mapper["shareCookies"] is False
        assert not any("x-api-key" in text.lower() or "clk_" in text for text in texts(mapper))


@every_scenario
def test_a_body_goes_with_requests_that_have_one_and_is_json_the_bridge_takes(name):
    for module, operation in calls(name):
        mapper = module["mapper"]
        assert (set(mapper) >= HTTP_BODY) == ("requestBody" in operation)
        if "requestBody" in operation:
            assert mapper["inputMethod"] == "jsonString"
            fields = json.loads(mapper["jsonStringBodyContent"])
            model = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert set(fields) <= set(DOCUMENT["components"]["schemas"][model]["properties"])


@every_scenario
def test_every_request_calls_a_path_that_the_bridge_has_with_its_method(name):
    for module, operation in calls(name):
        assert operation is not None, module["mapper"]["url"]
        known = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert set(parse_qs(urlsplit(module["mapper"]["url"]).query)) <= known


@every_scenario
def test_the_bridge_answers_before_make_com_gives_up(name):
    for module in modules(name, HTTP):
        (wait,) = parse_qs(urlsplit(module["mapper"]["url"]).query).get("wait", ["0"])
        assert int(wait) <= MAX_WAIT
        assert int(wait) + 10 < module["mapper"]["timeout"] <= 300


@every_scenario
def test_a_request_that_fails_is_kept_and_tried_again(name):
    for module in flow(name):
        if module["module"] != HTTP:
            assert "onerror" not in module
            continue
        (handler,) = module["onerror"]
        assert (handler["module"], handler["version"], handler["parameters"]) == ("builtin:Break", 1, {})
        assert handler["mapper"] == {"count": 16, "interval": 30, "retry": True}


@every_scenario
def test_what_is_mapped_comes_from_an_earlier_module_that_has_it(name):
    found = flow(name)
    for module in found:
        for number, path in references(module):
            assert number < module["id"], path
            source = found[number - 1]
            match source["module"]:
                case "gateway:CustomWebHook":
                    assert path in (SENT_TO_MAKE if name == "rerun-webhook" else {"run_id"})
                case "http:MakeRequest":
                    outer, *inner = path.split(".")
                    assert outer == "data"
                    assert set(inner[:1]) <= set(JobAnswer.model_fields)
                case "util:GetVariable2":
                    assert path == source["mapper"]["name"]
                case _:
                    pytest.fail(f"{source['module']} has no output {path}")


@every_scenario
def test_nothing_that_looks_like_a_mapping_is_anything_else(name):
    for module in flow(name):
        found = [
            text for text in texts([module["mapper"], module.get("filter", {})]) if "{{" in text or "}}" in text
        ]
        for text in found:
            assert re.fullmatch(r"([^{}]|\{(?!\{)|}(?!})|{{(\d+\.[\w.]+|encodeURL\(\d+\.\w+\))}})*", text), text


@every_scenario
def test_a_hook_is_answered_once_and_by_its_last_word(name):
    (answer,) = modules(name, "gateway:WebhookRespond")
    assert set(answer["mapper"]) == {"status", "body", "headers"}
    assert answer["mapper"]["status"] == "200"


def test_a_poll_looks_until_the_job_has_ended_and_no_longer_than_a_scenario_lives():
    found = flow("publish-and-poll")
    kinds = [module["module"].partition(":")[2] for module in found]
    repeater, seen, look, note, answer = found[kinds.index("BasicRepeater") :]
    wait = int(parse_qs(urlsplit(look["mapper"]["url"]).query)["wait"][0])
    assert int(repeater["mapper"]["repeats"]) * wait < 40 * 60
    assert seen["mapper"]["name"] == note["mapper"]["name"]
    assert seen["mapper"]["scope"] == note["mapper"]["scope"] == "roundtrip"
    assert note["mapper"]["value"] == f"{{{{{look['id']}.data.status}}}}"
    ((*before,),), after = (module["filter"]["conditions"] for module in (look, answer))
    now, then = f"{{{{{seen['id']}.status}}}}", note["mapper"]["value"]
    at_rest = {"done", "error", "cancelled", "held"}
    assert {(one["a"], one["o"]) for one in before} == {(now, "text:notequal")}
    assert {(one["a"], one["o"]) for (one,) in after} == {(then, "text:equal")}
    assert {one["b"] for one in before} == {one["b"] for (one,) in after} == at_rest


def test_a_scenario_types_no_json_around_what_it_maps():
    for name in Blueprint:
        for module in modules(name.value, HTTP):
            assert "{{" not in module["mapper"].get("jsonStringBodyContent", "")


@every_scenario
@pytest.mark.parametrize(
    "url", ["https://bridge.example/", "https://a.example/[under]/a/very/long" + "/path" * 40]
)
def test_the_command_prints_it_as_json_for_the_address_it_is_told(name, url):
    printed = told(columnline("make", "blueprint", name, "--url", url))
    assert printed == blueprint(name, url)
    urls = [module["mapper"]["url"] for module in printed["flow"] if module["module"] == HTTP]
    assert all(one.startswith((f"{url.rstrip('/')}/columnline/", "{{")) for one in urls)


def test_the_command_knows_every_scenario_and_no_other():
    assert columnline("make", "blueprint", "no-such").exit_code == 2
    assert len({blueprint(name.value, URL)["name"] for name in Blueprint}) == 3
    assert all(itertools.chain(flow(name.value) for name in Blueprint))
