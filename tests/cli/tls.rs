//! HTTPS with certificates that only `SSL_CERT_FILE` trusts, like in networks with their own authority.

use super::hub::{Behaviour, command, serve};
use super::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// A file in tests/tls. `authority.pem` signed `server.pem`, and `server.key` is the server's key. They are valid
/// until 2126 and only for 127.0.0.1.
fn pem(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// An HTTPS proxy in front of the HTTP server at `address`. Returns its address.
fn https_in_front_of(address: &str) -> String {
    let certificate = CertificateDer::from_pem_file(pem("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pem("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("https://{}", listener.local_addr().unwrap());
    let behind = address.trim_start_matches("http://").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = pass_on(StreamOwned::new(connection, stream), &behind);
        }
    });
    own
}

/// Forwards one request and its response.
fn pass_on(stream: StreamOwned<ServerConnection, TcpStream>, behind: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    while stream.read_line(&mut request)? > 2 {}
    let mut plain = TcpStream::connect(behind)?;
    plain.write_all(request.as_bytes())?;
    plain.shutdown(Shutdown::Write)?;
    let mut response = Vec::new();
    plain.read_to_end(&mut response)?;
    let stream = stream.get_mut();
    stream.write_all(&response)?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn only_authorities_in_ssl_cert_file_are_trusted() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    let endpoint = https_in_front_of(&hub.address);
    let fetch = || {
        let mut fetch = command(&folder, &hub, "hf:me/corpus/train.txt");
        fetch.env("HF_ENDPOINT", &endpoint);
        fetch
    };
    let error = fail(&mut fetch(), 2);
    assert!(error.contains("certificate") && error.contains("SSL_CERT_FILE"), "{error}");
    assert!(hub.requests.lock().unwrap().is_empty());
    succeed(fetch().env("SSL_CERT_FILE", pem("authority.pem")));
}
