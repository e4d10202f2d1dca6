"""`make chaos`: everything that can break, breaks at random while runs are published; then nothing may be missing.

A world of its own (PostgreSQL, Redis, bridge, two workers, beat) is broken in three lanes at once, by a plan that
a seed decides. Meanwhile senders publish generated runs, damaged ones among them and some of one company; hands
cancel, retry and ask for reruns; Make.com plays those, takes callbacks, and has troubles of its own. Under way,
and again once all is quiet, the invariants are looked at. What was accepted is known from the answers alone.

The seed decides faults and load to the hundredth of a second; threads and processes are the machine's. So a seed
that failed meets the same faults at the same moments of the same load, not always the same statement.

Reading order: `__main__`, `storm`, `plan`, `world` (with `servers`, `proxy`, `watch`), `faults`; `ledger`,
`asking`, `load`, `hands`, `scenario`; `look`, then what must hold: `invariants`, `shown`, `promise`, `chains`,
`callbacks`; then `injected`, `report`.

Faults, by their numbers in the project's catalogue; of what is not here, where it is instead, or why it is not:

    T1   child killed, worker dying at a step     faults.processes
    T2   poison pill                              tests/database/test_kill.py
    T3   worker, bridge, beat killed              faults.processes
    T4   told to stop, twice, to quit             faults.processes
    T5   told to stop while commits are slow      faults.processes
    T6   exception, hard time limit               faults.processes
    T7   Redis stopped, refused, started empty    faults.redis
    T8   Redis standing still                     faults.redis
    T9   Redis flushed                            faults.redis
    T10  Redis full                               faults.redis
    T11  Redis a replica of nobody                faults.redis
    T12  bells forged, doubled, junk              faults.redis
    T13  half-open, reset, cut off                faults.redis, by a proxy
    T14  PostgreSQL stopped at once               faults.postgres
    T15  all sessions ended, again and again      faults.postgres
    T16  PostgreSQL or one session hanging        faults.postgres
    T17  reply of COMMIT lost                     faults.postgres, by a proxy
    T18  table locked                             faults.postgres
    T19  deadlock                                 faults.postgres
    T20  connections used up                      faults.postgres
    T21  disk full                                faults.postgres, by triggers that raise 53100: not everybody may
                                                  mount a small file system to fill
    T22  read-only                                faults.postgres
    T23  migrated while workers run               faults.postgres: the newest version again; no older one is here
    T24  identical requests at once               load, in the manner `twins`
    T25  different requests at once               load, in the manner `rivals`
    T26  client gone                              load, in the manner `gone`
    T27  slow and malformed requests              tests/database/bridge/test_hostile_bodies.py
    T28  two beats, several sweeps                faults.processes
    T29  beat, bridge standing still              faults.processes; beat keeps no file that could be spoilt
    T30  clocks                                   faults.processes, where there is libfaketime, as in
                                                  tests/system/test_calendar_processes.py. DST and leap days:
                                                  tests/unit/test_moments.py
    T31  bad time zone of a client                tests/database/test_release.py
    T32  zombie                                   faults.processes
    T33  fork safety                              every restart of a worker
    T34  recycled children                        faults.processes
    T35  version skew                             by hand between releases, before and after migrating, both ways:
                                                  a checkout holds one version. A message is an id only
    T36  hands racing                             load, and every order: tests/database/test_interleavings.py
    T37  fairness                                 tests/system/test_fairness.py
    T38  soak                                     `make chaos SECONDS=1200`
"""
