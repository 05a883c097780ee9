#!/usr/bin/env perl
use Mojolicious::Lite -signatures;

get '/' => sub ($c) { $c->render(text => 'Hello World!') };

post '/echo' => sub ($c) { $c->render(data => $c->req->body) };

get '/rows' => sub ($c) {
  $c->res->headers->content_type('text/csv');
  rows_from($c, 1, $c->param('ms') // 50);
};

sub rows_from ($c, $row, $ms) {
  return $c->finish if $row > 100;
  $c->write_chunk("row $row\n", sub { Mojo::IOLoop->timer($ms / 1000 => sub { rows_from($c, $row + 1, $ms) }) });
}

websocket '/ws' => sub ($c) {
  $c->on(message => sub ($c, $msg) { $c->send("echo: $msg") });
};

app->start;
