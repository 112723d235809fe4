//! A participating function that dies while it closes.

use scenarios::Site;

use crate::{OFF, ON, SECOND, Stage};

/// Off the media path nothing is lost with the function: the way is in the Route set.
#[test]
fn r21_off_the_media_path_a_restarted_function_passes_the_repeated_bye() {
    for topology in OFF {
        let (mut stage, _) = Stage::up(topology);
        stage.system.close_all_of("client-a");
        stage.run_to(15);
        stage.system.crash(Site::PfA);
        stage.system.restart(Site::PfA);
        stage.system.run_for(40 * SECOND);
        assert_eq!((stage.closed("client-a").len(), stage.closed("client-b").len()), (1, 1), "{topology:?}");
    }
}

/// On it the function dies between its 200 and its BYE; what it does when it is back is the business of who keeps its
/// sessions (`durable_close.rs`). Here nobody does: it answers 481, to the repeated BYE and to the path that PF B offers because
/// its MSRP connection is gone, so the other legs end as well.
#[test]
fn r21_on_the_media_path_a_restarted_function_knows_no_dialog_and_the_other_legs_end() {
    for topology in ON {
        let (mut stage, sessions) = Stage::up(topology);
        let client = stage.system.client_a;
        stage.system.net.node_mut(client, |client, now| client.send(sessions.0, "first", now));
        stage.system.settle();
        stage.begin_at(30);
        let (pf, core) = (stage.system.pf_a, stage.system.core_a);
        stage.system.close_all_of("client-a");
        stage.run_to(19);
        stage.system.net.block(pf, core);
        stage.run_to(25);
        stage.system.crash(Site::PfA);
        stage.system.restart(Site::PfA);
        stage.system.net.heal();
        stage.system.run_for(40 * SECOND);
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a").len(), stage.closed("client-b").len()), (1, 1), "{topology:?}");
    }
}
