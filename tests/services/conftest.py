"""What tests of services share."""

import pytest
from people_house import House, open_house

from publisher.stores.database import Database


@pytest.fixture
def house(sqlite_database: Database) -> House:
    return open_house(sqlite_database)
