use strict;
use warnings;
use Plack::Request;
use Time::HiRes qw(sleep);

my $app = sub {
    my $req = Plack::Request->new(shift);
    return [200, ['Content-Type' => 'text/plain'], [$req->content]] if $req->path eq '/echo';
    return [200, ['Content-Type' => 'text/plain'], ["Hello World\n"]] unless $req->path eq '/rows';
    my $pause = ($req->param('ms') // 50) / 1000;
    return sub {
        my $writer = shift->([200, ['Content-Type' => 'text/csv']]);
        for my $row (1 .. 100) {
            $writer->write("row $row\n");
            sleep $pause;
        }
        $writer->close;
    };
};
