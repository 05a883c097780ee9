<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/echo') {
    echo file_get_contents('php://input');
} elseif ($path === '/rows') {
    header('Content-Type: text/csv');
    for ($row = 1; $row <= 100; $row++) {
        echo "row $row\n";
        ob_get_level() && ob_flush();
        flush();
        usleep(1000 * (int) ($_GET['ms'] ?? 50));
    }
} else {
    echo '<p>Hello World</p>';
}
