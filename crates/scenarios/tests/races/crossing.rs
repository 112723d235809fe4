//! BYEs that cross.

use flow::CloseBy;
use role_client::ClosedBy;

use crate::{OFF, ON, SECOND, Stage};

/// Client B has closed; the BYE of PF A on leg 1 meets that of Client A.
#[test]
fn r01_byes_that_cross_on_one_leg_are_both_answered() {
    for topology in ON {
        let (mut stage, sessions) = Stage::up(topology);
        stage.close(CloseBy::B, sessions);
        stage.run_to(55);
        stage.close(CloseBy::A, sessions);
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Both], vec![ClosedBy::Us]));
        stage.assert_over(2);
    }
}

#[test]
fn r02_both_close_on_the_media_path_and_no_leg_gets_a_second_bye_from_one_side() {
    for topology in ON {
        let (mut stage, sessions) = Stage::up(topology);
        stage.close(CloseBy::Both, sessions);
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Us], vec![ClosedBy::Us]));
        stage.assert_over(2);
    }
}

#[test]
fn r03_both_close_off_the_media_path_and_every_hop_forwards_both() {
    for topology in OFF {
        let (mut stage, sessions) = Stage::up(topology);
        stage.close(CloseBy::Both, sessions);
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Both], vec![ClosedBy::Both]));
        stage.assert_over(2);
    }
}

/// The BYE of one side is held up until the other one's has long been answered: the tombstone answers it.
#[test]
fn r01_a_bye_that_was_held_up_finds_the_tombstone() {
    for topology in OFF {
        let (mut stage, sessions) = Stage::up(topology);
        let core = stage.system.core_b;
        let client = stage.system.client_b;
        stage.system.net.partition(core, client);
        stage.close(CloseBy::B, sessions);
        stage.run_to(100);
        stage.close(CloseBy::A, sessions);
        stage.run_to(200);
        stage.system.net.heal();
        stage.system.run_for(5 * SECOND);
        assert_eq!((stage.closed("client-a").len(), stage.closed("client-b").len()), (1, 1));
        stage.assert_over(2);
    }
}
