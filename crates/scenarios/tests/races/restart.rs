//! A participating function that dies while it closes.

use scenarios::{Setup, Site};

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
/// sessions. Here nobody does: it answers 481, and session timers end what is left.
#[test]
fn r21_on_the_media_path_a_restarted_function_knows_no_dialog_and_the_session_timers_end_the_other_legs() {
    for topology in ON {
        // Nor does anybody miss the media that died with it.
        let mut setup = Setup::new(21, topology);
        (setup.pf_a.media_grace, setup.pf_b.media_grace) = (None, None);
        let (mut stage, _) = Stage::up_in(setup);
        let (pf, core) = (stage.system.pf_a, stage.system.core_a);
        stage.system.close_all_of("client-a");
        stage.run_to(19);
        stage.system.net.block(pf, core);
        stage.run_to(25);
        stage.system.crash(Site::PfA);
        stage.system.restart(Site::PfA);
        stage.system.net.heal();
        stage.system.run_for(40 * SECOND);
        assert_eq!((stage.closed("client-a").len(), stage.closed("client-b").len()), (1, 0), "{topology:?}");
        stage.system.run_for(1_800 * SECOND);
        assert_eq!(stage.closed("client-b").len(), 1, "{topology:?}");
    }
}
