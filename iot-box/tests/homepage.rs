//! The technician's pages, on the shipped program.

mod harness;

use harness::{Daemon, iot_box};

#[tokio::test]
async fn a_technician_signs_in_names_the_box_and_signs_out() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let hello = daemon.get("/v1/hello", &[]).await.json();
    assert_eq!(hello["paired"], false);

    let page = daemon.get("/", &[]).await;
    assert!(page.body.contains("Technician password") && !page.body.contains("Devices"), "{}", page.body);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));

    let password = String::from_utf8(iot_box(dir.path(), &["password"]).stdout).unwrap();
    let refused = daemon.form("/sign-in", "", "password=wrong").await;
    assert_eq!(refused.status, 403);
    let entered = daemon.form("/sign-in", "", &format!("password={}", password.trim())).await;
    assert_eq!(entered.status, 303, "{}", entered.body);
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();

    let home = daemon.get("/", &[("cookie", &cookie)]).await;
    assert!(home.body.contains("Devices") && home.body.contains("Not paired"), "{}", home.body);
    let hostile = daemon.form("/name", &cookie, "name=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert_eq!(hostile.status, 303);
    let home = daemon.get("/", &[("cookie", &cookie)]).await;
    assert!(home.body.contains("&lt;script&gt;alert(1)") && !home.body.contains("<script>alert"), "{}", home.body);
    assert_eq!(daemon.get("/v1/hello", &[]).await.json()["name"], "<script>alert(1)</script>");

    assert_eq!(daemon.form("/sign-out", &cookie, "").await.status, 303);
    assert_eq!(daemon.get("/live", &[("cookie", &cookie)]).await.status, 401);
}

#[tokio::test]
async fn guessing_the_password_becomes_slow() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(daemon.form("/sign-in", "", "password=wrong").await.status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
}

#[tokio::test]
async fn plain_http_is_sent_on_to_https() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let mut tcp = tokio::net::TcpStream::connect(daemon.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 308") && answer.contains(&format!("https://{}/", daemon.address)), "{answer}");
}
