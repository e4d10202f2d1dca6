"""Every sample becomes what it became before, and what it says of itself."""

import orjson
import pytest

from tasks.assemble import assemble
from tests.builders import run_input, sample, samples
from tests.golden import golden, outcome
from worker.errors import OutputsInvalid, OutputsMissing


@pytest.mark.parametrize("name", samples())
def test_a_sample_becomes_its_golden_file(name):
    assert outcome(sample(name)) == orjson.loads(golden(name).read_bytes())


@pytest.mark.parametrize("name", samples())
def test_a_sample_ends_as_it_says(name):
    expected = sample(name)["expect"]
    if expected == "error:outputs_missing":
        with pytest.raises(OutputsMissing, match="10_WRITER_STRATEGY"):
            assemble(run_input(sample(name)))
    elif expected == "error:outputs_invalid":
        with pytest.raises(OutputsInvalid, match="10_WRITER_SIGNALS"):
            assemble(run_input(sample(name)))
    else:  # ready, or held: assembly knows no clients
        assert assemble(run_input(sample(name))).company_name


def test_a_clean_run_has_no_warnings():
    assert assemble(run_input(sample("run_clean"))).warnings == ()


def test_the_same_run_becomes_the_same_draft_and_stays_as_it_was():
    run = run_input(sample("run_sloppy_json"))
    before = orjson.dumps(run.model_dump(mode="json"))
    assert assemble(run) == assemble(run)
    assert orjson.dumps(run.model_dump(mode="json")) == before
