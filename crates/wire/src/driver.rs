use crate::{Input, Instant, Node, Now, Output};

/// What a host does for its node: on sockets, or on a simulated network.
pub trait Effects {
    /// Does one thing that the node asks for. Called in the order in which the node put its outputs out.
    fn carry_out(&mut self, output: Output);

    /// The node asks for nothing more in this step: what was gathered may leave.
    fn flush(&mut self);
}

/// Runs a node: the one place that hands it inputs, wakes it and carries out what it puts out. Every host goes through it,
/// so the contract of [`Node`] is kept the same way on sockets as in the simulation.
///
/// A host makes one for each thing that happens; it is two references, and compiles away.
#[derive(Debug)]
pub struct Driver<'a, N: ?Sized, E> {
    node: &'a mut N,
    effects: &'a mut E,
}

impl<'a, N: Node + ?Sized, E: Effects> Driver<'a, N, E> {
    /// A driver of `node` on `effects`.
    pub const fn new(node: &'a mut N, effects: &'a mut E) -> Driver<'a, N, E> {
        Driver { node, effects }
    }

    /// Gives the node an input, and carries out all that comes of it.
    pub fn input(&mut self, input: Input, now: Now) {
        self.node.handle_input(input, now);
        self.settle();
    }

    /// Wakes the node if it wants to be woken by `now`, and carries out all that comes of it. Returns when it wants to be woken
    /// next; if that is not later than `now`, the node breaks its contract and would keep its host from everything else.
    pub fn wake(&mut self, now: Now) -> Option<Instant> {
        if self.node.poll_timeout().is_some_and(|due| due <= now.at) {
            self.node.handle_timeout(now);
            self.settle();
        }
        self.node.poll_timeout()
    }

    /// Lets somebody at the node between two steps, and carries out all that comes of it.
    pub fn touch<R>(&mut self, act: impl FnOnce(&mut N) -> R) -> R {
        let result = act(self.node);
        self.settle();
        result
    }

    /// Carries out what the node has put out already.
    pub fn settle(&mut self) {
        while let Some(output) = self.node.poll_output() {
            self.effects.carry_out(output);
        }
        self.effects.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::*;
    use crate::ConnId;

    /// Puts out as many outputs as it was handed inputs so far; wants to be woken once.
    #[derive(Default)]
    struct Echo {
        inputs: u64,
        out: VecDeque<Output>,
        due: Option<Instant>,
    }

    impl Echo {
        fn put_out(&mut self) {
            assert!(self.out.is_empty(), "all outputs are taken before the next step");
            self.inputs += 1;
            self.out.extend((0..self.inputs).map(|n| Output::Close { conn: ConnId::opened(n) }));
        }
    }

    impl Node for Echo {
        fn handle_input(&mut self, _: Input, _: Now) {
            self.put_out();
        }
        fn handle_timeout(&mut self, _: Now) {
            self.put_out();
            self.due = None;
        }
        fn poll_output(&mut self) -> Option<Output> {
            self.out.pop_front()
        }
        fn poll_timeout(&self) -> Option<Instant> {
            self.due
        }
    }

    /// Writes down what it is told to do.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Effects for Log {
        fn carry_out(&mut self, output: Output) {
            let Output::Close { conn } = output else { panic!("{output:?}") };
            self.0.push(format!("{conn:?}"));
        }
        fn flush(&mut self) {
            self.0.push("flush".to_owned());
        }
    }

    const INPUT: Input = Input::Written { conn: ConnId::opened(0), octets: 1 };

    fn at(ms: u64) -> Now {
        Now { at: Instant::ZERO + Duration::from_millis(ms), ..Now::default() }
    }

    #[test]
    fn all_outputs_of_a_step_are_carried_out_in_order_before_the_next_step() {
        let (mut node, mut log) = (Echo::default(), Log::default());
        let mut driver = Driver::new(&mut node, &mut log);
        driver.input(INPUT, at(0));
        driver.input(INPUT, at(0));
        driver.touch(Echo::put_out);
        let closes = [0, 0, 1, 0, 1, 2].map(|n| format!("{:?}", ConnId::opened(n)));
        let [a, b, c, d, e, f] = closes.each_ref().map(String::as_str);
        assert_eq!(log.0, [a, "flush", b, c, "flush", d, e, f, "flush"]);
    }

    #[test]
    fn a_node_is_woken_when_it_is_due_and_not_before() {
        let (mut node, mut log) = (Echo { due: Some(at(20).at), ..Echo::default() }, Log::default());
        for ms in [0, 19, 20, 21] {
            let next = Driver::new(&mut node, &mut log).wake(at(ms));
            assert_eq!(node.inputs, u64::from(ms >= 20), "at {ms} ms");
            assert_eq!(next, Some(at(20).at).filter(|_| ms < 20));
        }
    }
}
