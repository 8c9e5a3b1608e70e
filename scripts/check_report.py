"""Checks a page in Chromium: it needs nothing from outside, and in a comparison's report the controls work.

    python scripts/check_report.py PAGE.html

Prints a reason and exits with 77 if there is no browser to control.
"""

import json
import pathlib
import shutil
import sys

browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
driver_path = shutil.which("chromedriver")
if not browser or not driver_path:
    print("no chromium with chromedriver")
    sys.exit(77)
try:
    from selenium import webdriver
    from selenium.common.exceptions import NoAlertPresentException
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError as error:
    print(error)
    sys.exit(77)

path = pathlib.Path(sys.argv[1]).resolve()
options = webdriver.ChromeOptions()
options.binary_location = browser
# Containers have no sandbox and little /dev/shm. Disabling the sandbox is safe, since we open only our own page.
for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"]:
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))


def all_of(selector, within=driver):
    return within.find_elements(By.CSS_SELECTOR, selector)


def script(text, *arguments):
    return driver.execute_script(text, *arguments)


def style(selector, name):
    return script("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)


def check_nothing_foreign():
    try:
        driver.switch_to.alert.dismiss()
        raise AssertionError("the page opened an alert")
    except NoAlertPresentException:
        pass
    assert len(all_of("script")) == (2 if all_of("#arms") else 0), "scripts injected by the text"
    assert not all_of("img, iframe, object, embed, link, b"), "elements injected by the text"
    handlers = script("return [...document.querySelectorAll('*')].filter(e => e.getAttributeNames().some(n => n.startsWith('on'))).length")
    assert handlers == 0, f"{handlers} inline handlers"


def check_text_alternatives():
    """Every chart has a text alternative, every table row has a header, and heading levels have no gaps."""
    for svg in all_of("figure svg[role=img]"):
        # The accessible name, however the page sets it.
        heading = svg.find_element(By.XPATH, "ancestor::figure").find_element(By.TAG_NAME, "h3").text
        name = svg.accessible_name
        assert name.startswith(heading) and len(name) > len(heading) + 10, f"{heading}: {name}"
    assert len(all_of("figure svg[role=img]")) == len(all_of("figure .plot > svg")), "a chart without role=img"
    assert all_of("main table tbody tr") == all_of("main table tbody tr:has(th[scope=row])"), "a row without a header"
    levels = [int(heading.tag_name[1]) for heading in all_of("h1, h2, h3, h4")]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels
    ids = [element.get_attribute("id") for element in all_of("[id]")]
    assert len(ids) == len(set(ids)), "a duplicate id"


def check_reachable():
    """Tab reaches every scrollable region, and the focus is visible."""
    driver.refresh()
    regions = all_of(".scroll, pre")
    assert all(region.get_attribute("tabindex") == "0" for region in regions)
    reached = []
    # Tab also stops at controls between the regions.
    for _ in range(len(regions) + len(all_of("button, input, a[href]"))):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        focused = driver.switch_to.active_element
        if focused in regions:
            assert script("return arguments[0].matches(':focus-visible') && getComputedStyle(arguments[0]).outlineStyle !== 'none'", focused)
            reached.append(focused)
    assert reached == regions, f"{len(reached)} of {len(regions)} regions"


def column(index):
    """The sort values of a column. Missing values come last."""
    values = script("return [...document.querySelector('#arms').tBodies[0].rows].map(r => r.cells[arguments[0]].dataset.value ?? null)", index)
    present = [value for value in values if value is not None]
    assert values == present + [None] * (len(values) - len(present)), f"column {index}: a missing value is not last"
    try:
        return [float(value) for value in present]
    except ValueError:
        return present


def check_sorting():
    headers = all_of("#arms thead th")
    for index, header in enumerate(headers):
        button = header.find_element(By.TAG_NAME, "button")
        for _ in range(2):
            button.click()
            direction = header.get_attribute("aria-sort")
            values = column(index)
            numeric = values and isinstance(values[0], float)
            expected = sorted(values, key=None if numeric else str.lower, reverse=direction == "descending")
            assert direction in ("ascending", "descending") and (not numeric or values == expected), f"{header.text}, {direction}: {values}"
        assert len(all_of("#arms [aria-sort]")) == 1


def check_keyboard():
    """Tab reaches a column header from the top of the page. Enter sorts by the column, Space reverses the order."""
    driver.refresh()
    directions = []
    for _ in range(10):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        focused = driver.switch_to.active_element
        if focused.tag_name == "button" and focused.text.startswith("final loss"):
            assert script("return arguments[0].matches(':focus-visible')", focused)
            for key in (Keys.ENTER, Keys.SPACE):
                ActionChains(driver).send_keys(key).perform()
                directions.append(script("return arguments[0].parentElement.getAttribute('aria-sort')", focused))
            break
    assert sorted(directions) == ["ascending", "descending"], f"by keyboard: {directions}"


def check_toggles():
    for button in all_of(".legend button")[:2]:
        arm = button.get_attribute("data-arm")
        lines = all_of(f"figure g[data-arm='{arm}']")
        assert len(lines) >= 2, f"arm {arm} has {len(lines)} lines"
        for pressed in ("false", "true"):
            button.click()
            assert button.get_attribute("aria-pressed") == pressed
            shown = {line.is_displayed() for line in lines}
            assert shown == {pressed == "true"}, f"arm {arm}, pressed {pressed}: shown {shown}"


def check_readings():
    arms = json.loads(script("return document.getElementById('readings').textContent"))
    drawn = [arm for arm in arms if len(arm["mean"]) > 1]
    for svg in all_of("svg[data-axis]"):
        script("arguments[0].scrollIntoView({ block: 'center' })", svg)
        ActionChains(driver).move_to_element(svg).perform()
        plot = svg.find_element(By.XPATH, "..")
        box = plot.find_element(By.CLASS_NAME, "reading")
        assert box.is_displayed(), "no reading at the mouse"
        rows = [[cell.text for cell in all_of("td", row)] for row in all_of("tr", box)]
        assert sorted(row[0] for row in rows) == sorted(arm["name"] for arm in drawn), rows
        for name, mean, *_ in rows:
            curve = next(arm for arm in drawn if arm["name"] == name)
            assert mean in [f"{value:.4f}" for value in curve["mean"]], f"{name}: {mean} is not on its curve"
        slider = plot.find_element(By.XPATH, "following-sibling::input")
        before = slider.get_attribute("aria-valuetext")
        heading = plot.find_element(By.XPATH, "preceding-sibling::figcaption")
        ActionChains(driver).move_to_element(heading).perform()
        assert not box.is_displayed(), "the reading stays after the mouse leaves"
        script("arguments[0].focus()", slider)
        ActionChains(driver).send_keys(Keys.ARROW_LEFT * 9).perform()
        after = slider.get_attribute("aria-valuetext")
        assert box.is_displayed() and after != before and drawn[0]["name"] in after, f"{before}; {after}"
        script("arguments[0].blur()", slider)
        assert not box.is_displayed()
        finger = ActionBuilder(driver, mouse=PointerInput("touch", "finger"))
        finger.pointer_action.move_to(svg).pointer_down().pointer_up()
        finger.perform()
        assert box.is_displayed(), "no reading at a touch"


def check_media():
    def emulate(name, value):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": name, "value": value}]})

    colours = {}
    for scheme in ("light", "dark"):
        emulate("prefers-color-scheme", scheme)
        colours[scheme] = [style("body", "backgroundColor"), style("body", "color"), style("figure text", "fill")]
    assert all(light != dark for light, dark in zip(*colours.values())), colours
    ground = [sum(map(int, colours[scheme][0].strip("rgb()").split(","))) for scheme in ("light", "dark")]
    assert ground[0] > 600 and ground[1] < 150, colours
    emulate("prefers-reduced-motion", "reduce")
    moving = script("return [...document.querySelectorAll('*')].filter(e => getComputedStyle(e).transitionDuration !== '0s').length")
    assert moving == 0, f"{moving} elements move"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def check_phone():
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 375, "height": 812, "deviceScaleFactor": 2, "mobile": True})
    # Wait for the page to react.
    width = driver.execute_async_script("const done = arguments[0]; setTimeout(() => done(document.documentElement.scrollWidth), 300)")
    assert width <= 375, f"the page is {width} px wide on a screen of 375 px"
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check_without_scripts():
    """Without JavaScript the page shows everything except controls that need it."""
    counts = [len(all_of(selector)) for selector in (".scroll tbody tr", "figure svg", "pre")]
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.refresh()
    assert [len(all_of(selector)) for selector in (".scroll tbody tr", "figure svg", "pre")] == counts
    assert not all_of("button, input"), "controls that need JavaScript"
    assert style("body", "backgroundColor") != "rgba(0, 0, 0, 0)", "no style"


try:
    # Register before the page loads, to catch every violation.
    watch = "window.violations = []; document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective + ' ' + e.sourceFile + ':' + e.lineNumber))"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": watch})
    driver.get(path.as_uri())
    comparison = bool(all_of("#arms"))
    check_nothing_foreign()
    check_text_alternatives()
    if comparison:
        check_sorting()
        check_keyboard()
        check_toggles()
        check_readings()
    check_reachable()
    check_media()
    check_phone()
    check_nothing_foreign()
    violations = script("return window.violations")
    assert violations == [], f"content security policy violations: {violations}"
    console = driver.get_log("browser")
    assert console == [], f"console: {console}"
    check_without_scripts()
    arms = f"{len(all_of('#arms tbody tr'))} arms, " if comparison else ""
    print(f"{arms}{len(all_of('figure'))} charts")
finally:
    driver.quit()
