"""Servers that tests put in the place of SentinelOne and Azure, and what they do wrong.

`console.ScriptedConsole` serves a `world.World`: the console of `demo console` with a script of
faults, switches (`behaviour`) and a list of the requests that came in:

    from doubles import faults
    from doubles.console import ScriptedConsole
    from doubles.world import World

    script = [faults.status("threats", 503, times=2), faults.date("*", None, times=None)]
    with ScriptedConsole(World(seed=1), {"token"}, script) as console:
        console.world.populate(threats=30)
        ...
        console.faults.add(faults.fails_above("agents", 250))
        assert [request.status for request in console.requests] == [503, 503, 200]

What can be answered, and when, is in `faults`: any status, log-in pages, resets, bodies that break
off, silence, wrong cursors, no or another `Date`, a filter without effect, pages above a size that
fail, records that change all the time, other content encodings.

`azure.Azure` is the loopback Azure of `demo dce`; `azure_faults` has its faults.
"""
