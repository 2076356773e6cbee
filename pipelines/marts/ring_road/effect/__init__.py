"""What the ring road did to a station's traffic: estimators, their checks and the plan they obey.

Read `plan` first (what was fixed before anything was estimated), then `headline` (an effect, or a
refusal with its reasons). Outcomes are logs of volumes, so that an effect is a ratio.
"""
