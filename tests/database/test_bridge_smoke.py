from worker.drain import drain


def test_a_sample_goes_round(http, sample):
    document = sample("run_clean")
    run_id = document["run"]["run_id"]
    answer = http.post(f"/columnline/publish/{run_id}")
    assert answer.status_code == 202, answer.text
    assert len(list(drain())) == 1
    answer = http.get(f"/columnline/jobs/{answer.json()['job_id']}")
    assert answer.json()["status"] == "done"
    print(answer.json())
    print(http.post(f"/columnline/publish/{run_id}").json())
    print(http.get("/columnline/publish/x").json(), http.get("/readyz").json())
