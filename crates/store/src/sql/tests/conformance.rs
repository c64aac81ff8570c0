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
