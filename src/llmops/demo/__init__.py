"""``llmops demo``: an hour of a made-up company's traffic, played through the real gateway within a minute.

`shape` says when calls come and how long they are, `cast` who makes them, `script` what goes wrong and when; `visits`
and `spans` say what is sent, `player` sends it; `workshop` and `exam` do what the company's engineers do; `stage` has
the gateway and the folder, `show` runs it all. `time_lapse` is the trick: the gateway's own clock and event loop pass
over the time in which nobody does anything.
"""
