"""When upstreams fail: deadlines, retries, breakers, pools, the choice of deployments, shedding. Decisions only: time
and chance come in as numbers, and nothing here waits."""
