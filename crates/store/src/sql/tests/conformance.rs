//! Every promise of the port, on both engines.

mod mariadb {
    use firstcome_core::records_conformance;

    use crate::sql::tests::database::{Database, MariaDb};

    records_conformance!(Database<MariaDb>);
}

mod postgres {
    use firstcome_core::records_conformance;

    use crate::sql::tests::database::{Database, Postgres};

    records_conformance!(Database<Postgres>);
}

mod mariadb_and_kafka {
    use firstcome_core::records_conformance;

    use crate::sql::tests::database::MariaDb;
    use crate::sql::tests::relayed::Relayed;

    records_conformance! { @tests Relayed<MariaDb>:
        many_inserters_all_there
        events_if_and_only_if_committed
        events_in_order_after_a_position
        wait_returns_when_there_is_an_event
        wait_sees_other_processes
        reopen_keeps_everything
        openers_see_each_others_commits
    }
}

mod postgres_and_kafka {
    use firstcome_core::records_conformance;

    use crate::sql::tests::database::Postgres;
    use crate::sql::tests::relayed::Relayed;

    records_conformance! { @tests Relayed<Postgres>:
        many_inserters_all_there
        events_if_and_only_if_committed
        events_in_order_after_a_position
        wait_returns_when_there_is_an_event
        wait_sees_other_processes
        reopen_keeps_everything
        openers_see_each_others_commits
    }
}
