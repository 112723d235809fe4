//! What the nodes count, as measurements with names of their own.

mod engine;
mod function;
mod process;
mod sheet;
mod signalling;

use std::sync::atomic::Ordering;

use ::engine::Gauge;
use admin::Measurement;

use super::operator::Nodes;
use function::Measured;
use sheet::Sheet;
use signalling::Signalling;

/// All measurements of all nodes. A node that has stopped is measured as not up, and no more.
pub(super) fn all(nodes: &Nodes) -> Vec<Measurement> {
    let mut sheet = Sheet::default();
    for (name, core) in &nodes.cores {
        let measured =
            core.call(|core, now| (Signalling::of(core.stack()), core.open(), core.registered_contacts(now)));
        let Some(((signalling, (clients, servers, contexts), registrations), report)) =
            measured.ok().zip(core.report().ok())
        else {
            sheet.up(name, "core", false);
            continue;
        };
        sheet.up(name, "core", true);
        sheet.stack(name, &signalling);
        sheet.engine(name, &report);
        sheet.gauge("transactions", "Transactions that have not ended", name, clients + servers);
        sheet.gauge("proxy_contexts", "Response contexts of the proxy", name, contexts);
        sheet.gauge("registered_contacts", "Contacts that are registered", name, registrations);
    }
    for (name, pf) in &nodes.pfs {
        let Some((measured, report)) = pf.call(|pf, _| Measured::of(pf)).ok().zip(pf.report().ok()) else {
            sheet.up(name, "pf", false);
            continue;
        };
        sheet.up(name, "pf", true);
        sheet.stack(name, &measured.signalling);
        sheet.engine(name, &report);
        measured.write(name, &mut sheet);
    }
    if let Some(copies) = &nodes.copies {
        sheet.copies(copies);
        sheet.queues(None, &copies.counts().queues());
    }
    for (name, gauges) in &nodes.records {
        sheet.queues(Some(name), &gauges.iter().map(Gauge::read).collect::<Vec<_>>());
    }
    for (name, left_alone) in &nodes.left_alone {
        let help = "Entries in the store that have ended three processes which took them up";
        sheet.gauge("journal_left_alone", help, name, left_alone.load(Ordering::Relaxed));
    }
    if let Some(store) = &nodes.store {
        sheet.store(store);
    }
    if let Some(counts) = &nodes.traces {
        sheet.traces(counts);
    }
    sheet.0
}
