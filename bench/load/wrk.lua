-- One line of figures at the end, and the request of a scenario, chosen by arguments after `--`:
--   pipeline N | hosts N
local requests = {}
local at = 0

function init(arguments)
  local mode, count = arguments[1], tonumber(arguments[2])
  if mode == "pipeline" then
    requests[1] = string.rep(wrk.format(), count)
  elseif mode == "hosts" then
    -- In an order that looks random, the same for every proxy.
    for i = 1, count do
      wrk.headers["Host"] = "h" .. (i * 611 % count) .. ".test"
      requests[i] = wrk.format()
    end
  else
    requests[1] = wrk.format()
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local e = summary.errors
  print(string.format("FIGURES %d %d %d %d %d %d %d %d %.0f %.0f %.0f", summary.requests, summary.bytes, summary.duration,
    e.connect, e.read, e.write, e.status, e.timeout, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
