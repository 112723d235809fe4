use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wire::{ConnId, Input, Instant, PeerCertificate, Transport, Verify};

use super::{Event, Net};
use crate::arrow::ArrowId;
use crate::link::chance;
use crate::stream::{Connection, End, EndState, Item};
use crate::{Arrow, Fate};

/// What nodes ask for.
impl Net {
    /// # Panics
    /// When the node uses a name twice, a name that is the host's, or an address that is not its own.
    #[track_caller]
    pub(super) fn connect(
        &mut self,
        node: usize,
        conn: ConnId,
        transport: Transport,
        [local, remote]: [SocketAddr; 2],
        verify: Option<Verify>,
    ) {
        let index = self.connections.len();
        let at_ip = || self.hosts.iter().position(|host| host.has_ip(remote.ip()));
        let peer = self.bound_host(transport, remote).or_else(at_ip);
        let host = &mut self.hosts[node];
        assert!(transport.is_reliable(), "{} connects over {transport}", host.name);
        assert!(host.has_ip(local.ip()), "{} connects from {local}, which is not its own", host.name);
        assert!(!conn.is_accepted(), "{} opens {conn:?}, a name for accepted connections", host.name);
        assert!(host.conns.insert(conn, index).is_none(), "{} opens {conn:?} twice", host.name);
        let local = SocketAddr::new(local.ip(), host.draw_port());
        let listening = End::new(peer.unwrap_or(node), None, remote);
        let mut connection = Connection::new(transport, verify, End::new(node, Some(conn), local), listening);
        // Nobody has the address: nobody refuses either.
        connection.black_hole = peer.is_none();
        self.connections.push(connection);
        self.arm(index, self.streams.connect_timeout);
        self.send_item(index, 0, Item::Syn);
    }

    /// Writing to a connection that ended does nothing, as a kernel would have it.
    #[track_caller]
    pub(super) fn write(&mut self, node: usize, conn: ConnId, data: Bytes) {
        let (index, side) = self.find(node, conn);
        let connection = &mut self.connections[index];
        let state = connection.ends[side].state;
        if state != EndState::Closed && !data.is_empty() {
            connection.pipes[side].waiting.push_back(data);
        }
        if state == EndState::Open {
            self.transmit(index, side);
        }
    }

    #[track_caller]
    pub(super) fn set_reading(&mut self, node: usize, conn: ConnId, on: bool) {
        let (index, side) = self.find(node, conn);
        self.connections[index].ends[side].reading = on;
        self.look_at_unread(index, side);
    }

    #[track_caller]
    pub(super) fn close(&mut self, node: usize, conn: ConnId) {
        let (index, side) = self.find(node, conn);
        let Connection { ends, pipes, .. } = &mut self.connections[index];
        ends[side].closing = true;
        match ends[side].state {
            // What was written before must still get there; then the end closes.
            EndState::Connecting if !pipes[side].waiting.is_empty() => {}
            EndState::Connecting => self.fail_end(index, side),
            EndState::Open => self.finish(index, side),
            EndState::Closed => {}
        }
    }

    #[track_caller]
    fn find(&self, node: usize, conn: ConnId) -> (usize, usize) {
        let host = &self.hosts[node];
        let Some(index) = host.conns.get(&conn) else { panic!("{} uses {conn:?}, which it never had", host.name) };
        (*index, self.connections[*index].side_of(node, conn))
    }

    fn finish(&mut self, index: usize, side: usize) {
        let connection = &mut self.connections[index];
        connection.ends[side].state = EndState::Closed;
        connection.pipes[side].ending = true;
        self.end_if_all_left(index, side);
        self.look_at_unread(index, side);
    }

    /// The end of a stream follows all that was written.
    fn end_if_all_left(&mut self, index: usize, side: usize) {
        let pipe = &mut self.connections[index].pipes[side];
        if pipe.ending && pipe.waiting.is_empty() {
            pipe.ending = false;
            self.record_unframed(index, side);
            self.send_item(index, side, Item::Fin);
        }
    }
}

/// What goes on the wire.
impl Net {
    /// Lets leave what there is room for.
    fn transmit(&mut self, index: usize, side: usize) {
        while let Some(mut rest) = self.connections[index].pipes[side].take_departing(&self.streams) {
            self.note_written(index, side, rest.len());
            self.record_frames(index, side, &rest);
            while !rest.is_empty() {
                let cut = self.draw_segment(rest.len());
                self.send_item(index, side, Item::Data(rest.split_to(cut)));
            }
        }
        self.end_if_all_left(index, side);
    }

    /// Tells the node soon, but not in the middle of what it puts out.
    fn note_written(&mut self, index: usize, side: usize, octets: usize) {
        let end = &mut self.connections[index].ends[side];
        end.written += octets;
        if end.written == octets {
            self.wire.push(self.now, Event::Written { connection: index, side });
        }
    }

    pub(super) fn on_written(&mut self, index: usize, side: usize) {
        let end = &mut self.connections[index].ends[side];
        let (node, conn, octets) = (end.node, end.conn, mem::take(&mut end.written));
        if let Some(conn) = conn.filter(|_| end.state == EndState::Open) {
            self.deliver(node, Input::Written { conn, octets });
        }
    }

    /// Mostly pieces of up to a packet or a quarter of the rest; sometimes a few bytes only.
    fn draw_segment(&mut self, rest: usize) -> usize {
        if !self.streams.segmentation {
            return rest;
        }
        let most = if self.dice.below(4) == 0 { 16 } else { (rest / 4).max(1460) };
        (self.dice.below(most as u64) as usize + 1).min(rest)
    }

    fn send_item(&mut self, index: usize, side: usize, item: Item) {
        let connection = &self.connections[index];
        let link = self.links.link(connection.ends[side].node, connection.ends[1 - side].node);
        let mut at = self.now + link.draw_delay(&mut self.dice);
        if chance(&mut self.dice, link.loss) {
            at += self.streams.retransmit;
        }
        let pipe = &mut self.connections[index].pipes[side];
        at = at.max(pipe.last_arrival);
        pipe.depart(at, item);
        if !pipe.stalled {
            self.wire.push(at, Event::Stream { connection: index, side });
        }
    }

    /// Answers what no process owns. A reset that is lost is not repeated.
    fn send_reset(&mut self, index: usize, side: usize) {
        if self.is_pipe_cut(index, side) {
            self.purge(index, side);
        } else {
            self.send_item(index, side, Item::Reset);
        }
    }

    fn is_pipe_cut(&self, index: usize, side: usize) -> bool {
        let connection = &self.connections[index];
        connection.black_hole || self.links.is_blocked(connection.ends[side].node, connection.ends[1 - side].node)
    }
}

/// What arrives.
impl Net {
    /// The first item from `side` may be due. Events are never taken back: one that comes too early finds nothing due.
    pub(super) fn on_stream(&mut self, index: usize, side: usize) {
        let pipe = &self.connections[index].pipes[side];
        if pipe.in_transit.front().is_none_or(|(at, _)| *at > self.now) {
            return;
        }
        if self.is_pipe_cut(index, side) {
            return self.stall(index, side);
        }
        match self.connections[index].pipes[side].in_transit.pop_front() {
            Some((_, Item::Syn)) => self.on_syn(index),
            Some((_, Item::SynAck)) => self.on_syn_ack(index),
            Some((_, Item::Data(data))) => {
                let data = self.merge_segments(index, side, data);
                self.on_arrived(index, side, Item::Data(data));
            }
            Some((_, Item::Fin)) => self.on_arrived(index, side, Item::Fin),
            Some((_, Item::Reset)) => self.fail_end(index, 1 - side),
            None => {}
        }
    }

    fn on_syn(&mut self, index: usize) {
        let Connection { transport, ends: [connecting, listening], .. } = &self.connections[index];
        let (transport, local, remote, node) = (*transport, listening.local, connecting.local, listening.node);
        let host = &mut self.hosts[node];
        if connecting.state == EndState::Closed {
            return;
        }
        if host.machine.is_none() || !host.is_bound(transport, local) {
            return self.send_reset(index, 1);
        }
        if transport == Transport::Tls && !self.is_wanted(index) {
            return self.send_reset(index, 1);
        }
        let host = &mut self.hosts[node];
        let conn = host.draw_accepted();
        host.conns.insert(conn, index);
        let end = &mut self.connections[index].ends[1];
        end.conn = Some(conn);
        end.state = EndState::Open;
        self.send_item(index, 1, Item::SynAck);
        let peer = self.certificate_at(index, 0);
        self.deliver(node, Input::Accepted { conn, transport, local, remote, peer });
    }

    /// Whether the listening end is the one that the connecting end wants.
    fn is_wanted(&self, index: usize) -> bool {
        let certificate = self.certificate_at(index, 1);
        let verify = self.connections[index].verify.as_ref();
        verify.zip(certificate).is_some_and(|(verify, certificate)| verify.accepts(&certificate))
    }

    /// What the other end finds out about the certificate at this one.
    fn certificate_at(&self, index: usize, side: usize) -> Option<Arc<PeerCertificate>> {
        let Connection { transport, ends, .. } = &self.connections[index];
        let is_shown = *transport == Transport::Tls;
        self.hosts[ends[side].node].certificate.clone().filter(|_| is_shown)
    }

    fn on_syn_ack(&mut self, index: usize) {
        if !self.connections[index].is_connecting() {
            return self.send_reset(index, 0);
        }
        let end = &mut self.connections[index].ends[0];
        end.state = EndState::Open;
        let (node, conn, local, closing) = (end.node, end.conn, end.local, end.closing);
        self.disarm(index);
        self.transmit(index, 0);
        if closing {
            self.finish(index, 0);
        } else if let Some(conn) = conn {
            let peer = self.certificate_at(index, 1);
            self.deliver(node, Input::Connected { conn, local, peer });
        }
    }

    /// What arrived is read at once, or kept behind what is unread.
    fn on_arrived(&mut self, index: usize, side: usize, item: Item) {
        if self.may_read(index, 1 - side) && self.connections[index].pipes[side].unread.is_empty() {
            self.on_read(index, side, item);
        } else {
            self.connections[index].pipes[side].unread.push_back(item);
        }
    }

    /// Whether what comes in at this end may be taken: by its node, or when that has no use for it, by nobody.
    fn may_read(&self, index: usize, side: usize) -> bool {
        let end = &self.connections[index].ends[side];
        end.state == EndState::Closed || (end.reading && !self.hosts[end.node].paused)
    }

    /// What is unread at this end may have to be looked at, but not in the middle of what a node puts out.
    fn look_at_unread(&mut self, index: usize, side: usize) {
        if !self.connections[index].pipes[1 - side].unread.is_empty() && self.may_read(index, side) {
            self.wire.push(self.now, Event::Readable { connection: index, side });
        }
    }

    /// A paused process goes on, and reads what its kernel kept.
    pub(super) fn read_on(&mut self, node: usize) {
        for index in 0..self.connections.len() {
            for side in 0..2 {
                if self.connections[index].ends[side].node == node {
                    self.look_at_unread(index, side);
                }
            }
        }
    }

    pub(super) fn on_readable(&mut self, index: usize, side: usize) {
        while self.may_read(index, side)
            && let Some(item) = self.connections[index].pipes[1 - side].unread.pop_front()
        {
            self.on_read(index, 1 - side, item);
        }
    }

    fn on_read(&mut self, index: usize, side: usize, item: Item) {
        match item {
            Item::Data(data) => self.on_data(index, side, data),
            Item::Fin => self.on_fin(index, 1 - side),
            Item::Syn | Item::SynAck | Item::Reset => unreachable!("kernels take these themselves"),
        }
        let pipe = &self.connections[index].pipes[side];
        if !pipe.waiting.is_empty() && pipe.has_room(&self.streams) {
            self.transmit(index, side);
        }
    }

    fn on_data(&mut self, index: usize, side: usize, data: Bytes) {
        let connection = &mut self.connections[index];
        let whole = connection.pipes[side].advance(data.len());
        let [sender, receiver] = [&connection.ends[side], &connection.ends[1 - side]];
        let (sender_waits, receiving) = (sender.state != EndState::Closed, receiver.state == EndState::Open);
        let (node, conn) = (receiver.node, receiver.conn);
        if let Some(conn) = conn.filter(|_| receiving) {
            whole.iter().for_each(|arrow| self.recorder.received(*arrow, self.now));
            return self.deliver(node, Input::Stream { conn, data });
        }
        let answers = connection.pipes[1 - side].ending;
        self.lose_arrows(&whole);
        // A host that has still to write does not reset: it discards what comes.
        if sender_waits && !answers {
            self.send_reset(index, 1 - side);
        }
    }

    /// Segments that arrive together are read together, or not.
    fn merge_segments(&mut self, index: usize, side: usize, first: Bytes) -> Bytes {
        let pipe = &mut self.connections[index].pipes[side];
        let mut merged = BytesMut::new();
        while self.streams.segmentation
            && let Some((at, Item::Data(next))) = pipe.in_transit.front()
            && *at <= self.now
            && self.dice.below(2) == 0
        {
            if merged.is_empty() {
                merged.extend_from_slice(&first);
            }
            merged.extend_from_slice(next);
            pipe.in_transit.pop_front();
        }
        if merged.is_empty() { first } else { merged.freeze() }
    }

    fn on_fin(&mut self, index: usize, side: usize) {
        let end = &mut self.connections[index].ends[side];
        let was_open = end.state == EndState::Open;
        end.state = EndState::Closed;
        let (node, conn) = (end.node, end.conn);
        if let Some(conn) = conn.filter(|_| was_open) {
            self.record_unframed(index, side);
            self.deliver(node, Input::Closed { conn, failed: false });
        }
    }
}

/// What breaks.
impl Net {
    /// Ends `side` at once: what it sent is given up, and its node is told unless it had closed the end itself.
    pub(super) fn fail_end(&mut self, index: usize, side: usize) {
        let end = &mut self.connections[index].ends[side];
        if end.state == EndState::Closed {
            return;
        }
        end.state = EndState::Closed;
        self.broken_ends += 1;
        let (node, conn, closing) = (end.node, end.conn, end.closing);
        self.record_unframed(index, side);
        self.purge(index, side);
        self.look_at_unread(index, side);
        self.disarm(index);
        if let Some(conn) = conn.filter(|_| !closing) {
            self.deliver(node, Input::Closed { conn, failed: true });
        }
    }

    /// The kernel of a crashed process resets its connections.
    pub(super) fn reset_connections_of(&mut self, node: usize) {
        for index in 0..self.connections.len() {
            for side in 0..2 {
                let Connection { ends, pipes, .. } = &mut self.connections[index];
                let (end, pipe) = (&mut ends[side], &mut pipes[side]);
                if end.node != node || (end.state == EndState::Closed && !pipe.ending) {
                    continue;
                }
                // What has not left its host goes with the process.
                pipe.waiting.clear();
                let was_open = mem::take(&mut pipe.ending) || end.state == EndState::Open;
                end.state = EndState::Closed;
                self.record_unframed(index, side);
                self.look_at_unread(index, side);
                self.disarm(index);
                if was_open {
                    self.send_reset(index, side);
                }
            }
        }
    }

    /// The sender's kernel repeats what is blocked, for a while; but one that has reset the connection forgot it.
    fn stall(&mut self, index: usize, side: usize) {
        let pipe = &mut self.connections[index].pipes[side];
        if pipe.in_transit.iter().any(|(_, item)| matches!(item, Item::Reset)) {
            return self.purge(index, side);
        }
        pipe.stalled = true;
        if self.connections[index].deadline.is_none() {
            self.arm(index, self.streams.write_timeout);
        }
    }

    /// Repeats what was held and can cross again.
    pub(super) fn resume_streams(&mut self) {
        let at = self.now + self.streams.retransmit;
        for index in 0..self.connections.len() {
            for side in 0..2 {
                if !self.connections[index].pipes[side].stalled || self.is_pipe_cut(index, side) {
                    continue;
                }
                let pipe = &mut self.connections[index].pipes[side];
                pipe.stalled = false;
                pipe.last_arrival = pipe.last_arrival.max(at);
                for (due, _) in &mut pipe.in_transit {
                    *due = at.max(*due);
                    self.wire.push(*due, Event::Stream { connection: index, side });
                }
                self.disarm(index);
            }
        }
    }

    pub(super) fn on_deadline(&mut self, index: usize) {
        self.set_deadline(index, None);
        for side in 0..2 {
            let connection = &self.connections[index];
            let connecting = connection.ends[side].state == EndState::Connecting;
            if connecting || connection.pipes[side].stalled {
                self.record_unframed(index, side);
                self.purge(index, side);
                self.fail_end(index, side);
            }
        }
    }

    fn purge(&mut self, index: usize, side: usize) {
        let lost = self.connections[index].pipes[side].purge();
        self.lose_arrows(&lost);
    }

    fn lose_arrows(&mut self, arrows: &[ArrowId]) {
        arrows.iter().for_each(|arrow| self.recorder.lost(*arrow));
    }

    fn arm(&mut self, index: usize, after: Duration) {
        self.set_deadline(index, Some(self.now + after));
    }

    /// Unless there is still something to give up.
    fn disarm(&mut self, index: usize) {
        let connection = &self.connections[index];
        if !connection.is_connecting() && !connection.is_stalled() {
            self.set_deadline(index, None);
        }
    }

    fn set_deadline(&mut self, index: usize, deadline: Option<Instant>) {
        let old = mem::replace(&mut self.connections[index].deadline, deadline);
        if let Some(at) = old {
            self.deadlines.remove(&(at, index));
        }
        if let Some(at) = deadline {
            self.deadlines.insert((at, index));
        }
    }
}

/// What the ladder shows.
impl Net {
    fn record_frames(&mut self, index: usize, side: usize, data: &[u8]) {
        let mut next = self.connections[index].pipes[side].frame(&*self.labeller, data);
        while let Some((end, message)) = next {
            if let Some(arrow) = self.record_message(index, side, message, Fate::InFlight) {
                self.connections[index].pipes[side].track(end, arrow);
            }
            next = self.connections[index].pipes[side].frame(&*self.labeller, &[]);
        }
    }

    /// A message that its sender never finished.
    fn record_unframed(&mut self, index: usize, side: usize) {
        let rest = self.connections[index].pipes[side].take_unframed();
        if !rest.is_empty() {
            self.record_message(index, side, rest, Fate::Incomplete);
        }
    }

    fn record_message(&mut self, index: usize, side: usize, data: Bytes, fate: Fate) -> Option<ArrowId> {
        let label = self.labeller.label(&data)?;
        let connection = &self.connections[index];
        let [sender, receiver] = [&connection.ends[side], &connection.ends[1 - side]];
        let arrow = Arrow {
            sent_at: self.now,
            received_at: None,
            fate,
            duplicate: false,
            from: self.hosts[sender.node].name.clone(),
            to: self.hosts[receiver.node].name.clone(),
            source: sender.local,
            destination: receiver.local,
            transport: connection.transport,
            label,
            data,
        };
        Some(self.recorder.record(arrow))
    }
}
