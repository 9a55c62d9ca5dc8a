-- Requests as a proxy sends them: each from another of a thousand clients.
local clients = {}

init = function()
  for number = 0, 999 do
    local headers = {
      ["Host"] = "inner.example",
      ["X-Forwarded-For"] = string.format("203.0.%d.%d", math.floor(number / 250), number % 250 + 1),
      ["X-Forwarded-Proto"] = "https",
      ["X-Forwarded-Host"] = "pub.example",
      ["X-Forwarded-Port"] = "443",
    }
    clients[number] = wrk.format("GET", "/", headers)
  end
end

local count = 0
request = function()
  count = count + 1
  return clients[count % 1000]
end
