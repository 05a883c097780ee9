// As the Rust book builds it: the standard library alone, a thread for each connection.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread, time::Duration};

fn main() {
    let port = env::var("PORT").unwrap_or("7878".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    for stream in listener.incoming().flatten() {
        thread::spawn(|| handle_connection(stream));
    }
}

fn handle_connection(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    let mut length = 0;
    if reader.read_line(&mut first).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let _ = match first.split(' ').nth(1).unwrap_or("") {
        "/" => answer(&mut stream, "200 OK", b"Hello from Rust\n"),
        "/echo" => {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).and_then(|_| answer(&mut stream, "200 OK", &body))
        }
        path if path.starts_with("/rows") => rows(&mut stream, path.split('=').nth(1).and_then(|ms| ms.parse().ok()).unwrap_or(50)),
        _ => answer(&mut stream, "404 Not Found", b""),
    };
}

fn answer(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}

fn rows(stream: &mut TcpStream, pause_ms: u64) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nConnection: close\r\n\r\n")?;
    for row in 1..=100 {
        write!(stream, "row {row}\n")?;
        thread::sleep(Duration::from_millis(pause_ms));
    }
    Ok(())
}
