require 'sinatra'

get '/' do
  'Hello world!'
end

post '/echo' do
  request.body.read
end

get '/rows' do
  pause = params.fetch('ms', 50).to_f / 1000
  stream do |out|
    (1..100).each do |row|
      out << "row #{row}\n"
      sleep pause
    end
  end
end
