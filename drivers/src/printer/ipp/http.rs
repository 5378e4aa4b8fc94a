//! One HTTP request on a connection of its own: all that IPP needs (RFC 8010, 3).

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest answer: thousands of attributes.
const LONGEST: u64 = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// Nothing was sent.
    #[error("{0}")]
    Unreachable(io::Error),
    /// Nobody knows how much of it arrived.
    #[error("{0}")]
    Broken(io::Error),
}

pub(super) async fn post(address: SocketAddr, path: &str, ipp: &[u8], document: &[u8]) -> Result<Vec<u8>, Failed> {
    let timeout = |_| Failed::Unreachable(io::ErrorKind::TimedOut.into());
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(address));
    let mut stream = connecting.await.map_err(timeout)?.map_err(Failed::Unreachable)?;
    let exchange = async {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\
             User-Agent: iot-box\r\nConnection: close\r\n\r\n",
            ipp.len() + document.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(ipp).await?;
        stream.write_all(document).await?;
        let mut answer = Vec::new();
        let mut reader = (&mut stream).take(LONGEST);
        let mut piece = [0; 4096];
        loop {
            let read = reader.read(&mut piece).await?;
            answer.extend_from_slice(&piece[..read]);
            // Some keep the connection open in spite of what they were asked.
            match body(&answer, read == 0) {
                Body::Whole(body) => return Ok(body),
                Body::Wrong => return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is no IPP")),
                Body::More if read == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Body::More => {}
            }
        }
    };
    let timeout = |_| Failed::Broken(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER + Duration::from_millis(document.len() as u64 / 50), exchange)
        .await
        .map_err(timeout)?
        .map_err(Failed::Broken)
}

#[derive(Debug, PartialEq)]
enum Body {
    Whole(Vec<u8>),
    More,
    Wrong,
}

fn body(answer: &[u8], ended: bool) -> Body {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if answer.len() > 16_384 { Body::Wrong } else { Body::More };
    };
    let (head, rest) = (String::from_utf8_lossy(&answer[..end]).into_owned(), &answer[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.contains(" 100") {
        return body(rest, ended);
    }
    if !status.starts_with("HTTP/1.") || !status.contains(" 200") {
        return Body::Wrong;
    }
    let header = |name: &str| {
        let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return chunks(rest);
    }
    match header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => rest.get(..length).map_or(Body::More, |body| Body::Whole(body.to_vec())),
        None if ended => Body::Whole(rest.to_vec()),
        None => Body::More,
    }
}

fn chunks(mut rest: &[u8]) -> Body {
    let mut whole = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Body::More };
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Some(size) = usize::from_str_radix(size, 16).ok().filter(|size| *size <= LONGEST as usize) else {
            return Body::Wrong;
        };
        if size == 0 {
            return Body::Whole(whole);
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else { return Body::More };
        whole.extend_from_slice(chunk);
        let Some(tail) = rest.get(end + 4 + size..) else { return Body::More };
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_by_length_by_chunks_or_by_their_end() {
        let whole = |text: &str, ended| body(text.as_bytes(), ended);
        let abc = Body::Whole(b"abc".to_vec());
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false), abc);
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false), Body::More);
        let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
        assert_eq!(whole(chunked, false), abc);
        assert_eq!(whole("HTTP/1.0 200 OK\r\n\r\nabc", true), abc);
        assert_eq!(whole("HTTP/1.1 401 Unauthorized\r\n\r\n", true), Body::Wrong);
        assert_eq!(whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false), Body::Wrong);
    }
}
