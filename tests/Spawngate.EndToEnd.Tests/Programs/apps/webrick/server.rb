require 'webrick'

server = WEBrick::HTTPServer.new(Port: 8000)

server.mount_proc('/') { |req, res| res.body = "Hello, world!\n" }
server.mount_proc('/echo') { |req, res| res.body = req.body }
server.mount_proc('/rows') do |req, res|
  pause = (req.query['ms'] || 50).to_f / 1000
  res.chunked = true
  res.body = proc do |out|
    (1..100).each do |row|
      out.write("row #{row}\n")
      sleep pause
    end
  end
end

trap('INT') { server.shutdown }
trap('TERM') { server.shutdown }
server.start
