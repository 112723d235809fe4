use engine::{Counters, Report};

use super::sheet::{Sheet, seconds};

impl Sheet {
    /// What an engine tells.
    pub(super) fn engine(&mut self, node: &str, report: &Report) {
        self.net(node, &report.net);
        self.queues(Some(node), &report.queues);
        if let Some(took) = report.journal {
            let help = "How long batches of entries of the journal took until they were durable";
            self.labelled("journal_duration_seconds", help, node, &[], seconds(took));
        }
    }

    fn net(&mut self, node: &str, net: &Counters) {
        for (name, help, value) in [
            ("datagrams_in", "Datagrams read", net.datagrams_in),
            ("datagrams_out", "Datagrams that the kernel took", net.datagrams_out),
            ("datagrams_failed", "Datagrams that the kernel refused", net.datagrams_failed),
            ("datagrams_dropped", "Datagrams given up as the queue of their socket was full", net.datagrams_dropped),
            ("connections_accepted", "Connections accepted", net.accepted),
            ("connections_refused", "Connections closed on acceptance, as there were too many", net.refused),
            ("connections_opened", "Connections opened", net.connected),
            ("connections_failed", "Connections that could not be opened", net.connect_failed),
            ("connections_closed", "Connections whose socket is gone", net.closed),
            ("connections_broken", "Connections that broke", net.broken),
            ("tls_handshakes_failed", "TLS handshakes that came to nothing", net.handshakes_failed),
            ("tls_peers_refused", "TLS peers with a certificate that was not wanted", net.peers_refused),
            ("stream_octets_in", "Octets read from connections", net.stream_bytes_in),
            ("stream_octets_out", "Octets that the kernel took for connections", net.stream_bytes_out),
        ] {
            self.counter(name, help, node, value);
        }
    }
}
