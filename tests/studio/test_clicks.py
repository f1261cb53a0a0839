"""Whatever is pressed is seen to be heard before any server has answered."""

import pytest
from playwright import sync_api

from tests.studio import clicks
from tests.studio.conftest import Furnished, let_in


@pytest.mark.parametrize("click", clicks.CLICKS, ids=lambda click: click.name)
def test_a_click_is_heard_before_it_is_answered(
    furnished: Furnished, chromium: sync_api.Browser, click: clicks.Click
) -> None:
    studio, told = furnished
    with chromium.new_context(base_url=studio.url) as context:
        let_in(context, studio)
        heard = clicks.press(clicks.listening(context), click, told)
        assert heard is not None, "there is no such button"
        assert heard["acknowledged"] is not None
