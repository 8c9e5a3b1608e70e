"""Checks a page in Chromium: that it looks after itself, and, of a comparison's report, that its controls work.

    python scripts/check_report.py PAGE.html

Exit code 77 and a line that says why where there is no browser to drive.
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
# Containers give neither a sandbox nor much of /dev/shm; the page opened is our own.
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
    assert len(all_of("script")) == (2 if all_of("#arms") else 0), "scripts in the text"
    assert not all_of("img, iframe, object, embed, link, b"), "elements from the text"
    handlers = script("return [...document.querySelectorAll('*')].filter(e => e.getAttributeNames().some(n => n.startsWith('on'))).length")
    assert handlers == 0, f"{handlers} inline handlers"


def check_text_alternatives():
    """Every chart says in words what it shows, every table what its columns are, and headings skip no level."""
    for svg in all_of("figure svg[role=img]"):
        # The browser's own account, whichever way the page says it.
        heading = svg.find_element(By.XPATH, "ancestor::figure").find_element(By.TAG_NAME, "h3").text
        name = svg.accessible_name
        assert name.startswith(heading) and len(name) > len(heading) + 10, f"{heading}: {name}"
    assert len(all_of("figure svg[role=img]")) == len(all_of("figure .plot > svg")), "a chart that is no image"
    assert all_of("main table tbody tr") == all_of("main table tbody tr:has(th[scope=row])"), "a row without a heading"
    levels = [int(heading.tag_name[1]) for heading in all_of("h1, h2, h3, h4")]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels
    ids = [element.get_attribute("id") for element in all_of("[id]")]
    assert len(ids) == len(set(ids)), "an id twice"


def check_reachable():
    """Everything that scrolls by itself is reached by Tab, and seen to be."""
    driver.refresh()
    regions = all_of(".scroll, pre")
    assert all(region.get_attribute("tabindex") == "0" for region in regions)
    reached = []
    # A page's controls lie between its regions.
    for _ in range(len(regions) + len(all_of("button, input, a[href]"))):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        focused = driver.switch_to.active_element
        if focused in regions:
            assert script("return arguments[0].matches(':focus-visible') && getComputedStyle(arguments[0]).outlineStyle !== 'none'", focused)
            reached.append(focused)
    assert reached == regions, f"{len(reached)} of {len(regions)} regions"


def column(index):
    """The values that rows are sorted by; none where a cell has none."""
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
    """Tab from the top of the page to the header of a column; Enter sorts by it, Space the other way."""
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
        assert box.is_displayed(), "no reading under the mouse"
        rows = [[cell.text for cell in all_of("td", row)] for row in all_of("tr", box)]
        assert sorted(row[0] for row in rows) == sorted(arm["name"] for arm in drawn), rows
        for name, mean, *_ in rows:
            curve = next(arm for arm in drawn if arm["name"] == name)
            assert mean in [f"{value:.4f}" for value in curve["mean"]], f"{name}: {mean} is not on its curve"
        slider = plot.find_element(By.XPATH, "following-sibling::input")
        before = slider.get_attribute("aria-valuetext")
        heading = plot.find_element(By.XPATH, "preceding-sibling::figcaption")
        ActionChains(driver).move_to_element(heading).perform()
        assert not box.is_displayed(), "the reading stays when the mouse has left"
        script("arguments[0].focus()", slider)
        ActionChains(driver).send_keys(Keys.ARROW_LEFT * 9).perform()
        after = slider.get_attribute("aria-valuetext")
        assert box.is_displayed() and after != before and drawn[0]["name"] in after, f"{before}; {after}"
        script("arguments[0].blur()", slider)
        assert not box.is_displayed()
        finger = ActionBuilder(driver, mouse=PointerInput("touch", "finger"))
        finger.pointer_action.move_to(svg).pointer_down().pointer_up()
        finger.perform()
        assert box.is_displayed(), "no reading under a finger"


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
    # After the page has had time to answer.
    width = driver.execute_async_script("const done = arguments[0]; setTimeout(() => done(document.documentElement.scrollWidth), 300)")
    assert width <= 375, f"{width} wide on a phone of 375"
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check_without_scripts():
    """What a reader without JavaScript sees: everything but controls that would do nothing."""
    counts = [len(all_of(selector)) for selector in (".scroll tbody tr", "figure svg", "pre")]
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.refresh()
    assert [len(all_of(selector)) for selector in (".scroll tbody tr", "figure svg", "pre")] == counts
    assert not all_of("button, input"), "controls without a script"
    assert style("body", "backgroundColor") != "rgba(0, 0, 0, 0)", "no style"


try:
    # In place before the page is, so that no violation is missed.
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
    assert violations == [], f"violations of the policy: {violations}"
    console = driver.get_log("browser")
    assert console == [], f"console: {console}"
    check_without_scripts()
    arms = f"{len(all_of('#arms tbody tr'))} arms, " if comparison else ""
    print(f"{arms}{len(all_of('figure'))} charts")
finally:
    driver.quit()
