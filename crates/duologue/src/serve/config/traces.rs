//! `[traces]`.

use hyper::Uri;

use super::ConfigError;
use crate::serve::document;
use crate::serve::traces::TracesPlan;

const KEY: &str = "traces.endpoint";

pub(super) fn read(traces: Option<document::Traces>) -> Result<Option<TracesPlan>, ConfigError> {
    let Some(traces) = traces else { return Ok(None) };
    let cure =
        "write the URL of an OTLP/HTTP collector with its IP address, such as \"http://127.0.0.1:4318/v1/traces\"";
    // A password is not for logs.
    if traces.endpoint.contains('@') {
        return Err(ConfigError::new(KEY, "has a user or a password in it, and none is sent", cure));
    }
    let wrong =
        |problem: &str, cure: &str| Err(ConfigError::new(KEY, &format!("is `{}`, {problem}", traces.endpoint), cure));
    let Ok(uri) = traces.endpoint.parse::<Uri>() else { return wrong("which is no URL", cure) };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            let cure = "run a collector beside this server, name it with http://, and let it speak TLS to the others";
            return wrong("and spans leave without TLS", cure);
        }
        Some(_) | None => return wrong("which does not begin with http://", cure),
    }
    let address = uri.authority().and_then(|authority| authority.as_str().parse().ok());
    let Some(address) = address.filter(|address: &std::net::SocketAddr| address.port() != 0) else {
        return wrong("which has no IP address with a port", cure);
    };
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    if matches!(path, "" | "/") {
        return wrong("which has no path", "write `/v1/traces` behind it, where collectors take spans");
    }
    Ok(Some(TracesPlan { address, path: path.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<TracesPlan, String> {
        let read = read(Some(document::Traces { endpoint: text.to_owned() }));
        read.map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_is_an_http_url_with_an_address_a_port_and_a_path() {
        let plan =
            |address: &str, path: &str| Ok(TracesPlan { address: address.parse().unwrap(), path: path.to_owned() });
        assert_eq!(endpoint("http://127.0.0.1:4318/v1/traces"), plan("127.0.0.1:4318", "/v1/traces"));
        assert_eq!(endpoint("http://[::1]:80/otlp?tenant=1"), plan("[::1]:80", "/otlp?tenant=1"));
        for (text, said) in [
            ("https://127.0.0.1:4318/v1/traces", "without TLS; run a collector beside this server"),
            ("http://127.0.0.1:4318", "has no path; write `/v1/traces` behind it"),
            ("http://127.0.0.1:4318/", "has no path; write `/v1/traces` behind it"),
            ("http://collector:4318/v1/traces", "has no IP address with a port; write the URL"),
            ("http://127.0.0.1/v1/traces", "has no IP address with a port; write the URL"),
            ("http://127.0.0.1:0/v1/traces", "has no IP address with a port; write the URL"),
            ("grpc://127.0.0.1:4317/v1/traces", "does not begin with http://; write the URL"),
            ("127.0.0.1:4318", "does not begin with http://; write the URL"),
            ("", "is no URL; write the URL"),
        ] {
            let error = endpoint(text).unwrap_err();
            assert!(error.starts_with(&format!("traces.endpoint is `{text}`, ")) && error.contains(said), "{error}");
        }
        let error = endpoint("http://me:word@127.0.0.1:4318/v1/traces").unwrap_err();
        assert!(error.contains("has a user or a password in it") && !error.contains("word@"), "{error}");
    }
}
