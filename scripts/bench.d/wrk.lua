-- Asks for the paths of a file in turn, with a token where one is given, and says in one line what came of it.
local requests, index = {}, 0

function init(args)
  local headers = {["Host"] = "127.0.0.1", ["User-Agent"] = "curl/7.88.1 Nix/2.8.0", ["Accept-Encoding"] = "deflate, gzip, br, zstd"}
  local token = os.getenv("BENCH_TOKEN")
  if token and token ~= "" then headers["Authorization"] = "Bearer " .. token end
  for path in io.lines(os.getenv("BENCH_PATHS")) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  index = index % #requests + 1
  return requests[index]
end

function done(summary, latency)
  local seconds = summary.duration / 1e6
  local errors = summary.errors
  io.write(string.format("FIGURES %d %.3f %.1f %.1f %.1f %d\n", summary.requests, seconds, summary.requests / seconds,
    summary.bytes / seconds, latency:percentile(50), errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
