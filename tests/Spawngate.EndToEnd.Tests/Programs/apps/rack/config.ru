class Rows
  def initialize(pause)
    @pause = pause
  end

  def each
    (1..100).each do |row|
      yield "row #{row}\n"
      sleep @pause
    end
  end
end

run lambda { |env|
  request = Rack::Request.new(env)
  case request.path
  when '/echo' then [200, { 'Content-Type' => 'text/plain' }, [request.body.read]]
  when '/rows' then [200, { 'Content-Type' => 'text/csv' }, Rows.new(request.params.fetch('ms', 50).to_f / 1000)]
  else [200, { 'Content-Type' => 'text/plain' }, ["Hello World\n"]]
  end
}
